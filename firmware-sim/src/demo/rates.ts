import type { CloudFacts } from './cloud-facts.js';
import type { Place } from './town.js';

/** A line of the demo's table: one gateway as the cloud sees it. */
export interface GatewayRow {
  gateway: string;
  connected: boolean;
  /** CAN frames, or lines where it has no CAN, that the log took per second lately. */
  framesPerSecond: number;
  batches: number;
  /** In the log, per CAN frame, everything included; undefined before the first. */
  bytesPerFrame: number | undefined;
  /** Age of the newest record that the cloud can show. */
  lagSeconds: number | undefined;
  /** Batches that nothing explains. */
  missingBatches: number;
  explainedBatches: number;
  bufferedBatches: number;
  bufferedBytes: number;
  /** Of a vehicle on the road. */
  place?: Place | undefined;
}

/** Rates are means over about this long: batches come in pieces of a second. */
const WINDOW_MS = 5000;

/** Makes rows of what the cloud says, and rates of the difference to what it said before. */
export class Rates {
  private readonly history: { atMs: number; records: Map<string, number> }[] = [];

  /** In the order of `gateways`; those that the cloud doesn't know yet are all zero. */
  rows(facts: CloudFacts, gateways: readonly string[], atMs: number, nowMs: number): GatewayRow[] {
    const records = new Map(gateways.map((gateway) => [gateway, mainStreams(facts, gateway).records]));
    this.history.push({ atMs, records });
    while (this.history.length > 2 && this.history[1].atMs <= atMs - WINDOW_MS) this.history.shift();
    const [oldest] = this.history;
    const seconds = (atMs - oldest.atMs) / 1000;
    return gateways.map((gateway) => {
      const known = facts.gateways.find((entry) => entry.gateway === gateway);
      const main = mainStreams(facts, gateway);
      const gained = (records.get(gateway) ?? 0) - (oldest.records.get(gateway) ?? 0);
      return {
        gateway,
        connected: known?.connected ?? false,
        framesPerSecond: seconds > 0 ? gained / seconds : 0,
        batches: known?.batches ?? 0,
        bytesPerFrame: main.records > 0 ? main.bytes / main.records : undefined,
        lagSeconds: known?.lastTime === undefined ? undefined : (nowMs - Date.parse(known.lastTime)) / 1000,
        missingBatches: gapBatches(facts, gateway, 'missing'),
        explainedBatches: gapBatches(facts, gateway, 'explained'),
        bufferedBatches: known?.pendingBatches ?? 0,
        bufferedBytes: known?.bufferBytes ?? 0,
      };
    });
  }
}

/** Records and bytes of a gateway's CAN streams; of all its streams where it has none. */
function mainStreams({ streams }: CloudFacts, gateway: string): { records: number; bytes: number } {
  const own = streams.filter((stream) => stream.gateway === gateway);
  const can = own.filter(({ kind }) => kind === 'can');
  const main = can.length > 0 ? can : own;
  return {
    records: main.reduce((sum, { records }) => sum + records, 0),
    bytes: main.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function gapBatches({ gaps }: CloudFacts, gateway: string, state: 'explained' | 'missing'): number {
  return gaps
    .filter((gap) => gap.gateway === gateway && gap.state === state)
    .reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

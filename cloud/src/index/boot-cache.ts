import type { ClockPoint } from '@fleetlog/shared/batch';
import { prefixRange, type OrderedStore } from '@fleetlog/shared/store';
import type { Clock } from '@fleetlog/shared/util';
import { correctBoots, type CorrectedBoot } from '../time/boots.js';
import type { BootRecord } from './boot-record.js';
import { decodeJson } from './json-value.js';
import { bootKey, bootPrefix, pointPrefix } from './keys.js';

const gatewaysMax = 1024;
/** Records of boots that batches came of lately, one for each gateway. */
const recordsMax = 32_768;
/** Points of one boot that are looked at; one comes every ten minutes at most. */
const pointsMax = 16_384;
/** A boot that goes on makes timelines stale, which only matters to the boots around it. */
const staleUsMax = 2_000_000;

/** Boots of a gateway with their timelines, kept until something about them changes. Memory is bounded. */
export class BootCache {
  private readonly gateways = new Map<string, { boots: Promise<Map<string, CorrectedBoot>>; atUs: number }>();
  private readonly grown = new Set<string>();
  private readonly records = new Map<string, BootRecord>();

  constructor(
    private readonly store: OrderedStore,
    private readonly clock: Clock,
  ) {}

  /** A record of its own that the caller may change. */
  async record(gateway: string, boot: string): Promise<BootRecord | undefined> {
    const known = this.records.get(gateway);
    if (known?.boot === boot) return { ...known };
    const stored = await this.store.get(bootKey(gateway, boot));
    return stored && decodeJson<BootRecord>(stored);
  }

  /** After a write: `changed` where more than the length of a boot did; `record` as it was written, if it was. */
  touched(gateway: string, changed: boolean, record?: BootRecord): void {
    if (changed) this.gateways.delete(gateway);
    else this.grown.add(gateway);
    if (this.records.size >= recordsMax) this.records.clear();
    if (record) this.records.set(gateway, record);
    else this.records.delete(gateway);
  }

  /** By boot, in their order. */
  corrected(gateway: string): Promise<Map<string, CorrectedBoot>> {
    const known = this.gateways.get(gateway);
    const atUs = this.clock.monotonicUs();
    const isFresh = known && (!this.grown.has(gateway) || atUs - known.atUs < staleUsMax);
    if (isFresh) return known.boots;
    this.grown.delete(gateway);
    const boots = this.read(gateway);
    boots.catch(() => this.gateways.delete(gateway)); // whoever waits for it gets the error
    if (this.gateways.size >= gatewaysMax) this.gateways.clear();
    this.gateways.set(gateway, { boots, atUs });
    return boots;
  }

  private async read(gateway: string): Promise<Map<string, CorrectedBoot>> {
    const facts = [];
    for await (const { value } of this.store.entries(prefixRange(bootPrefix(gateway)))) {
      const record = decodeJson<BootRecord>(value);
      facts.push({ ...record, points: await this.points(gateway, record.boot) });
    }
    return new Map(correctBoots(facts).map((boot) => [boot.boot, boot]));
  }

  private async points(gateway: string, boot: string): Promise<ClockPoint[]> {
    const points: ClockPoint[] = [];
    const range = prefixRange(pointPrefix(gateway, boot));
    for await (const { value } of this.store.entries(range, { limit: pointsMax, prefetch: 256 })) {
      points.push(decodeJson<ClockPoint>(value));
    }
    return points;
  }
}

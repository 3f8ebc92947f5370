import { originalName, rescuedEpoch } from '#gateway/buffer/integrity/rescued-names.js';
import { askGateway } from '#gateway/control/client.js';
import type { GatewayReport } from '#gateway/control/status.js';
import { Witness } from './moments.js';

/** What a gateway said of a stream of one epoch. */
export interface Said {
  stream: string;
  epoch: string;
  /** Sequence after the last one that it called durable. */
  next: number;
  /** Records before `next`, as far as it told; it does where nothing waits for a barrier. */
  records: number;
  /** When it said so, µs since 1970: what is before `next` isn't newer. */
  timeUs: number;
}

const pollMs = 15;

/** Asks a running gateway again and again what is durable, as anybody may, and remembers the most. */
export class Listener {
  readonly said = new Map<string, Said>();
  /** Of the life that is listened to. */
  witness = new Witness();

  /** To a new life of the gateway whose control socket is at `path`, until `signal` says so. */
  async listen(path: string, signal: AbortSignal): Promise<void> {
    this.witness = new Witness();
    while (!signal.aborted) {
      const report = await askGateway(path, 'status').catch(() => undefined);
      if (report) this.hear(report as GatewayReport);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  private hear(report: GatewayReport): void {
    this.witness.hear(report);
    const { epoch, streams } = report;
    for (const { stream: listed, durableNext, next, recordsPut } of streams) {
      if (durableNext === 0) continue;
      const stream = originalName(listed);
      const own = rescuedEpoch(listed) ?? epoch;
      const name = `${stream}@${own}`;
      const before = this.said.get(name);
      if (before && before.next >= durableNext) continue;
      const records = Math.max(before?.records ?? 0, durableNext === next ? recordsPut : 0);
      this.said.set(name, { stream, epoch: own, next: durableNext, records, timeUs: Date.now() * 1000 });
    }
  }
}

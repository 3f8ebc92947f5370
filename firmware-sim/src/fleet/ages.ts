import type { Clock } from '@fleetlog/shared/util';
import type { StreamEntry } from '../ledger/ledger.js';
import { LineCutter } from '../verdict/line-cutter.js';
import { Histogram } from './histogram.js';

const head = /^\{"gateway":"([^"]+)","stream":"([^"]+)","time":"([^"]+)"/;

/** Watches the cloud's tail and notes how old each record is when it comes: what somebody sees who watches live. */
export class Ages {
  private readonly histograms = new Map<string, Histogram>();

  constructor(
    private readonly url: string,
    private readonly clock: Clock,
  ) {}

  /** Until the signal aborts. A tail that breaks off (the cloud restarts) is begun anew; what came between has no age. */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.follow(signal).catch(() => undefined); // the cloud is away, or the watch is over
      await this.clock.sleep(RETRY_MS, signal).catch(() => undefined);
    }
  }

  of(gateway: string, stream: string): StreamEntry['ageMs'] {
    const histogram = this.histograms.get(`${gateway}/${stream}`);
    if (!histogram) return undefined;
    const ms = (share: number): number => Math.round(histogram.percentile(share));
    return { p50: ms(0.5), p95: ms(0.95), p99: ms(0.99), max: histogram.max };
  }

  private async follow(signal: AbortSignal): Promise<void> {
    const response = await fetch(`${this.url}/v1/tail`, { signal });
    const cutter = new LineCutter((line) => this.take(line));
    if (!response.ok || !response.body) return;
    for await (const chunk of response.body) cutter.take(chunk as Uint8Array);
  }

  private take(line: Uint8Array): void {
    const match = head.exec(
      Buffer.from(line.buffer, line.byteOffset, Math.min(line.length, 200)).toString('latin1'),
    );
    if (!match) return;
    const [, gateway, stream, time] = match;
    const name = `${gateway}/${stream}`;
    let histogram = this.histograms.get(name);
    if (!histogram) this.histograms.set(name, (histogram = new Histogram()));
    histogram.add(this.clock.nowUs() / 1000 - Date.parse(time));
  }
}

const RETRY_MS = 250;

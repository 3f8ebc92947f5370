import type { Clock } from '@fleetlog/shared/util';

export interface NameLimits {
  /** Streams that a gateway may begin in a day, those of each epoch counted apart; as many at once. */
  newStreamsPerDay: number;
  /** Gateways that are known. */
  gatewaysMax: number;
}

export const nameLimits: NameLimits = { newStreamsPerDay: 2000, gatewaysMax: 100_000 };

const dayUs = 86_400e6;
/** Gateways remembered before those are looked for whose day is over. */
const rememberedMax = 10_000;

/**
 * Keeps gateways from inventing streams and epochs without end: each of them leaves notes in the log that nothing ever
 * removes. What goes over the limit is put off, and taken when the gateway sends it again and time has passed.
 */
export class NewStreams {
  /** Begun and not yet forgotten; a day's worth is forgotten in a day. */
  private readonly begun = new Map<string, { streams: number; atUs: number }>();

  constructor(
    private readonly perDay: number,
    private readonly clock: Clock,
  ) {}

  /** Whether this gateway may begin one more; counts it then. */
  admits(gateway: string): boolean {
    const atUs = this.clock.monotonicUs();
    const streams = this.left(gateway, atUs) + 1;
    if (streams > this.perDay) return false;
    this.begun.set(gateway, { streams, atUs });
    if (this.begun.size > rememberedMax) this.forget(atUs);
    return true;
  }

  private left(gateway: string, nowUs: number): number {
    const { streams, atUs } = this.begun.get(gateway) ?? { streams: 0, atUs: nowUs };
    return Math.max(0, streams - ((nowUs - atUs) / dayUs) * this.perDay);
  }

  private forget(nowUs: number): void {
    for (const gateway of this.begun.keys()) if (this.left(gateway, nowUs) === 0) this.begun.delete(gateway);
  }
}

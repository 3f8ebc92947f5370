import type { Clock } from '@fleetlog/shared/util';

/** To write and send what was read takes about as long as this, besides. */
const sentBytesPerMs = 100_000;
/** While ingest has work, readers pause for so many times what they have taken: about a tenth of the process is theirs. */
const pauseFactor = 9;
const pauseMsMin = 2;
const pauseMsMax = 100;

/**
 * Readers of all groups take their pages one after the other, and give way to ingest: a gateway that isn't acknowledged
 * has to keep its data, and a reader that is late misses nothing. While ingest has nothing to do they go as fast as they can.
 */
export class ReadTurns {
  private last: Promise<unknown> = Promise.resolve();
  private owedMs = 0;
  private isIngestBusy: () => boolean = () => false;

  constructor(
    private readonly clock: Clock,
    /** Ends pauses. */
    private readonly signal: AbortSignal,
  ) {}

  giveWayTo(isIngestBusy: () => boolean): void {
    this.isIngestBusy = isIngestBusy;
  }

  /** `read` returns how many bytes it has read. Errors: those of `read`. */
  take(read: () => Promise<number>): Promise<void> {
    const turn = this.last.then(async () => {
      const startedUs = this.clock.monotonicUs();
      const bytes = await read();
      const tookMs = (this.clock.monotonicUs() - startedUs) / 1000;
      this.owedMs += pauseFactor * (tookMs + bytes / sentBytesPerMs);
    });
    this.last = turn.then(
      () => this.pause(),
      () => undefined, // told to who reads
    );
    return turn;
  }

  private async pause(): Promise<void> {
    if (!this.isIngestBusy()) this.owedMs = 0;
    if (this.owedMs < pauseMsMin) return;
    const pauseMs = Math.min(this.owedMs, pauseMsMax);
    this.owedMs -= pauseMs;
    await this.clock.sleep(pauseMs, this.signal).catch(() => undefined); // the cloud ends
  }
}

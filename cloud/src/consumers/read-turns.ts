import type { Clock } from '@fleetlog/shared/util';

/** To write and send what was read takes about as long as this, besides. */
const sentBytesPerMs = 100_000;
/** While ingest needs the process, readers pause for so many times what they have taken: about a twentieth of it is theirs. */
const pauseFactor = 20;
const pauseMsMin = 2;
const pauseMsMax = 100;
/** A process that has something to do for less of its time than this has enough for its readers. */
const busyShare = 0.4;
/** Over which time that is looked at. */
const sampleMs = 100;
/** Of the many that follow the end of the log, each takes a page at most every so many ms, times their number. */
const restMsPerReader = 1;
const restMsMax = 100;

/**
 * Readers of all groups take their pages one after the other, and give way to ingest: a gateway that isn't acknowledged
 * has to keep its data, and a reader that is late misses nothing. While ingest has nothing to do they go as fast as they can.
 */
export class ReadTurns {
  private last: Promise<unknown> = Promise.resolve();
  private owedMs = 0;
  private isIngestBusy: () => boolean = () => false;
  private sampledUs = -Infinity;
  private isLoopBusy = false;

  constructor(
    private readonly clock: Clock,
    /** Ends pauses. */
    private readonly signal: AbortSignal,
    /** Part of the time since the last call in which the process had something to do, 0 to 1. */
    private readonly utilization: () => number,
  ) {}

  /** So long a reader lets the log grow that has just taken the little that there was: one of few doesn't. */
  restMs(readers: number): number {
    const restMs = Math.min(restMsMax, readers * restMsPerReader);
    return restMs < pauseMsMin ? 0 : restMs;
  }

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
    if (!this.isIngestBusy() || !this.needsProcess()) this.owedMs = 0;
    if (this.owedMs < pauseMsMin) return;
    const pauseMs = Math.min(this.owedMs, pauseMsMax);
    this.owedMs -= pauseMs;
    await this.clock.sleep(pauseMs, this.signal).catch(() => undefined); // the cloud ends
  }

  /** Ingest that waits for the disk leaves the process to others anyway. */
  private needsProcess(): boolean {
    const nowUs = this.clock.monotonicUs();
    if (nowUs - this.sampledUs >= sampleMs * 1000) {
      this.sampledUs = nowUs;
      this.isLoopBusy = this.utilization() >= busyShare;
    }
    return this.isLoopBusy;
  }
}

/** A round trip may take this much longer than the message alone would: what the backlog may cost live data. */
const targetMs = 50;
const bytesMin = 16 * 1024;
const bytesStart = 16 * 1024;
/** How far the window moves in one round trip, at most. */
const stepBytes = 16 * 1024;
/** The shortest round trip counts for five minutes, so that a change of the way is learnt. */
const baseBucketMs = 30_000;
const baseBuckets = 10;
/** The best rate of the last ten seconds counts, about. */
const rateBucketMs = 2000;
const rateBuckets = 5;

/**
 * How many bytes may be on their way to the broker, found from how long its confirmations take (LEDBAT, RFC 6817, on
 * messages instead of segments): enough that the link is never idle, few enough that a live batch doesn't wait behind
 * more than about a twentieth of a second of backlog and the batch under way.
 *
 * A large batch takes long on a narrow link by itself. How long is told by the rate at which bytes were confirmed while
 * it was under way: too low a rate as long as the window is too small for the link, so that the window grows.
 *
 * Why not the operating system's send buffer alone: it takes hundreds of kilobytes whatever the link carries, seconds
 * at 1 Mbit/s, and a byte that it has taken can't be overtaken any more.
 */
export class DelayWindow {
  private size = bytesStart;
  private slowStart = true;
  private readonly shortestMs = new Recent(Math.min, Infinity, baseBucketMs, baseBuckets);
  private readonly bytesPerMs = new Recent(Math.max, 0, rateBucketMs, rateBuckets);
  private delivered = 0;

  constructor(private readonly bytesMax: number) {}

  get bytes(): number {
    return this.size;
  }

  /** Bytes confirmed so far: to be kept with a message that is sent now, for its confirmation. */
  get confirmedBytes(): number {
    return this.delivered;
  }

  /**
   * A message of `bytes` was confirmed after `rttMs`, before which `confirmedBefore` were confirmed. `limited`: this window kept something back meanwhile; one that
   * isn't used up says nothing about what the link could carry.
   */
  confirmed(bytes: number, rttMs: number, confirmedBefore: number, limited: boolean, nowMs: number): void {
    this.delivered += bytes;
    const baseMs = this.shortestMs.note(rttMs, nowMs);
    const bytesPerMs = this.bytesPerMs.note((this.delivered - confirmedBefore) / Math.max(rttMs, 0.1), nowMs);
    const queueMs = rttMs - baseMs - bytes / bytesPerMs;
    if (queueMs > targetMs / 2) this.slowStart = false;
    if (this.slowStart) {
      if (limited) this.resize(this.size + bytes);
      return;
    }
    const off = Math.min(1, Math.max(-1, (targetMs - queueMs) / targetMs));
    if (off > 0 && !limited) return;
    this.resize(this.size + Math.max(-bytes / 2, (off * stepBytes * bytes) / this.size));
  }

  private resize(bytes: number): void {
    this.size = Math.min(Math.max(bytes, bytesMin), Math.max(bytesMin, this.bytesMax));
  }
}

/** The best of what was noted lately, in buckets of time. */
class Recent {
  private readonly buckets: number[] = [];
  private startMs = -Infinity;

  constructor(
    private readonly best: (...values: number[]) => number,
    private readonly worst: number,
    private readonly bucketMs: number,
    private readonly bucketsMax: number,
  ) {}

  note(value: number, nowMs: number): number {
    if (nowMs - this.startMs >= this.bucketMs) {
      this.startMs = nowMs;
      this.buckets.push(this.worst);
      if (this.buckets.length > this.bucketsMax) this.buckets.shift();
    }
    const last = this.buckets.length - 1;
    this.buckets[last] = this.best(this.buckets[last], value);
    return this.best(...this.buckets);
  }
}

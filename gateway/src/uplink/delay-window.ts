/** A round trip may take this much longer than on an idle link: what the backlog may cost live data. */
const targetMs = 100;
const bytesMin = 16 * 1024;
const bytesStart = 16 * 1024;
/** How far the window moves in one round trip, at most. */
const stepBytes = 16 * 1024;
/** The shortest round trip counts for five minutes, so that a change of the way is learnt. */
const baseBucketMs = 30_000;
const baseBuckets = 10;

/**
 * How many bytes may be on their way to the broker, found from how long its confirmations take (LEDBAT, RFC 6817, on
 * messages instead of segments): enough that the link is never idle, few enough that a live batch doesn't wait behind
 * more than about a tenth of a second of backlog.
 *
 * Why not the operating system's send buffer alone: it takes hundreds of kilobytes whatever the link carries, seconds
 * at 1 Mbit/s, and a byte that it has taken can't be overtaken any more.
 */
export class DelayWindow {
  private size = bytesStart;
  private slowStart = true;
  /** Shortest round trip of each of the last buckets. */
  private readonly baseMs: number[] = [Infinity];
  private bucketStartMs: number | undefined;

  constructor(private readonly bytesMax: number) {}

  get bytes(): number {
    return this.size;
  }

  /**
   * A message of `bytes` was confirmed after `rttMs`. `limited`: this window kept something back meanwhile; one that
   * isn't used up says nothing about what the link could carry.
   */
  confirmed(bytes: number, rttMs: number, limited: boolean, nowMs: number): void {
    this.noteBase(rttMs, nowMs);
    const queueMs = rttMs - Math.min(...this.baseMs);
    if (queueMs > targetMs / 2) this.slowStart = false;
    if (this.slowStart) {
      if (limited) this.resize(this.size + bytes);
      return;
    }
    const off = Math.max(-1, (targetMs - queueMs) / targetMs);
    if (off > 0 && !limited) return;
    this.resize(this.size + Math.max(-bytes / 2, (off * stepBytes * bytes) / this.size));
  }

  private resize(bytes: number): void {
    this.size = Math.min(Math.max(bytes, bytesMin), Math.max(bytesMin, this.bytesMax));
  }

  private noteBase(rttMs: number, nowMs: number): void {
    this.bucketStartMs ??= nowMs;
    if (nowMs - this.bucketStartMs >= baseBucketMs) {
      this.bucketStartMs = nowMs;
      this.baseMs.push(Infinity);
      if (this.baseMs.length > baseBuckets) this.baseMs.shift();
    }
    const last = this.baseMs.length - 1;
    this.baseMs[last] = Math.min(this.baseMs[last], rttMs);
  }
}

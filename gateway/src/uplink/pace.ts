/** Lets at most so many bytes a second through; what went over the limit at once is waited for afterwards. */
export class ByteRate {
  private balance = 0;
  private atMs: number | undefined;

  /** Infinity is no limit. */
  constructor(private readonly bytesPerSecond: number) {}

  /** How long until the next bytes may go; 0 where they may now. */
  waitMs(nowMs: number): number {
    if (this.bytesPerSecond === Infinity) return 0;
    this.refill(nowMs);
    return this.balance >= 0 ? 0 : (-this.balance / this.bytesPerSecond) * 1000;
  }

  spend(bytes: number, nowMs: number): void {
    if (this.bytesPerSecond === Infinity) return;
    this.refill(nowMs);
    this.balance -= bytes;
  }

  /** Unused time isn't saved up: the rate holds for every second. */
  private refill(nowMs: number): void {
    const passedMs = nowMs - (this.atMs ?? nowMs);
    this.atMs = nowMs;
    this.balance = Math.min(0, this.balance + (passedMs * this.bytesPerSecond) / 1000);
  }
}

/** Time that may be saved up, ms: bursts stay short. */
const savedMsMax = 200;

/**
 * Lets something be under way for at most a share of the time: on a link that it fills, that is its share of the link,
 * whatever the link carries.
 */
export class TimeShare {
  private savedMs = 0;
  private atMs: number | undefined;
  private busy = false;

  /** `share` from 0 to 1. */
  constructor(private readonly share: number) {}

  /** How long until the next may start; Infinity for a share of 0. */
  waitMs(nowMs: number): number {
    if (this.share === 1) return 0;
    if (this.share === 0) return Infinity;
    this.pass(nowMs);
    return this.savedMs >= 0 ? 0 : -this.savedMs / this.share;
  }

  /** Whether anything is under way from now on. */
  note(busy: boolean, nowMs: number): void {
    this.pass(nowMs);
    this.busy = busy;
  }

  private pass(nowMs: number): void {
    const passedMs = nowMs - (this.atMs ?? nowMs);
    this.atMs = nowMs;
    const earnedMs = passedMs * this.share - (this.busy ? passedMs : 0);
    this.savedMs = Math.min(savedMsMax * this.share, this.savedMs + earnedMs);
  }
}

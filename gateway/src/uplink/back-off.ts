/** Exponential back-off with full jitter: a fleet that lost its cloud doesn't come back in one moment. */
export class BackOff {
  private attempt = 0;

  /** `random` gives numbers in [0, 1). */
  constructor(
    private readonly random: () => number,
    private readonly minMs = 500,
    private readonly maxMs = 30_000,
  ) {}

  /** How long to wait before the next attempt. */
  nextMs(): number {
    const ceiling = Math.min(this.maxMs, this.minMs * 2 ** this.attempt);
    this.attempt = Math.min(this.attempt + 1, 30);
    return this.random() * ceiling;
  }

  reset(): void {
    this.attempt = 0;
  }
}

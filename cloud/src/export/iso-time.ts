/** µs since the Unix epoch as ISO 8601 in UTC with six decimals; beyond what dates can say as plain µs. */
export function isoMicros(timeUs: number): string {
  return new IsoWriter().text(timeUs);
}

/** As `isoMicros`, for many times of which each is mostly in the second of the one before. */
export class IsoWriter {
  private second = NaN;
  /** `2026-11-05T10:00:00.` */
  private head = '';

  text(timeUs: number): string {
    const second = Math.floor(timeUs / 1e6);
    if (second !== this.second) {
      if (Math.abs(second) > 8.64e12) return String(timeUs);
      this.second = second;
      this.head = new Date(second * 1000).toISOString().slice(0, -4);
    }
    return `${this.head}${String(1_000_000 + (timeUs - second * 1e6)).slice(1)}Z`;
  }
}

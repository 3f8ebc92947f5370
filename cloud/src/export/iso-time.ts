/** µs since the Unix epoch as ISO 8601 in UTC with six decimals; beyond what dates can say as plain µs. */
export function isoMicros(timeUs: number): string {
  const ms = Math.floor(timeUs / 1000);
  if (Math.abs(ms) > 8.64e15) return String(timeUs);
  const micros = String(timeUs - ms * 1000).padStart(3, '0');
  return `${new Date(ms).toISOString().slice(0, -1)}${micros}Z`;
}

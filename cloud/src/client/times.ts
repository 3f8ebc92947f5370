/* Times between the API's text and µs since the Unix epoch. */

/** Of an answer: 2026-11-23T03:12:31.040011Z. */
export const microsOf = (time: string): number =>
  Date.parse(`${time.slice(0, 19)}Z`) * 1000 + Number(time.slice(20, 26));

/** For a question: seconds since the epoch, to the µs. */
export const queryTime = (timeUs: number): string =>
  `${Math.floor(timeUs / 1e6)}.${String(((timeUs % 1e6) + 1e6) % 1e6).padStart(6, '0')}`;

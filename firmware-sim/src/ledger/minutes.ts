import { createHash, type Hash } from 'node:crypto';

export const MINUTE_US = 60e6;

/** Says in which minute since the start a line of a stream was spoken, from the line alone. */
export type MinuteOf = (line: Uint8Array) => number;

const OPEN = 0x28;
const DOT = 0x2e;

/** Of `candump -L` lines: `(1795385639.539901) can0 …`. -1 for what is no such line. */
export function candumpMinutes(startUs: number): MinuteOf {
  const startS = startUs / 1e6;
  return (line) => {
    if (line[0] !== OPEN) return -1;
    let seconds = 0;
    let at = 1;
    for (; at < line.length && line[at] !== DOT; at++) seconds = seconds * 10 + line[at] - 48;
    return at === line.length || !(seconds >= 0) ? -1 : Math.max(0, Math.floor((seconds - startS) / 60));
  };
}

const nmeaTime = /^\$..(?:GGA|RMC|ZDA|GLL),(?:[^,]*,[^,]*,[^,]*,[^,]*,)??(\d\d)(\d\d)(\d\d)/;
const DAY_S = 86_400;

/** Of NMEA sentences, at most a day: those without a time belong to the last one that had one. */
export function nmeaMinutes(startUs: number): MinuteOf {
  const startS = Math.floor(startUs / 1e6) % DAY_S;
  let minute = 0;
  return (line) => {
    const match = nmeaTime.exec(Buffer.from(line.buffer, line.byteOffset, line.length).toString('latin1'));
    if (match) {
      const daySeconds = Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3]);
      minute = Math.floor(((daySeconds - startS + DAY_S) % DAY_S) / 60);
    }
    return minute;
  };
}

export const minutesOf = (format: 'candump' | 'lines', startUs: number): MinuteOf =>
  format === 'candump' ? candumpMinutes(startUs) : nmeaMinutes(startUs);

/** What was said in one minute: how much, and a hash of its bytes in order (the first 16 digits of SHA-256). */
export interface MinuteEntry {
  minute: number;
  records: number;
  hash: string;
}

const LF = 0x0a;

/** Cuts chunks of text into lines; a line may come in several chunks. */
export function* linesOf(chunks: Iterable<Uint8Array | string>): Generator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array(0);
  for (const chunk of chunks) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk;
    const text = rest.length > 0 ? Buffer.concat([rest, bytes]) : bytes;
    let at = 0;
    for (let end = text.indexOf(LF); end >= 0; end = text.indexOf(LF, at)) {
      yield text.subarray(at, end + 1);
      at = end + 1;
    }
    rest = text.subarray(at);
  }
  if (rest.length > 0) yield rest;
}

/** Sums a stream up, minute by minute. */
export class MinuteDigest {
  records = 0;
  private readonly entries: MinuteEntry[] = [];
  private open: { minute: number; records: number; hash: Hash } | undefined;

  take(minute: number, line: Uint8Array): void {
    if (this.open?.minute !== minute) {
      this.close();
      this.open = { minute, records: 0, hash: createHash('sha256') };
    }
    this.open.records++;
    this.open.hash.update(line);
    this.records++;
  }

  /** All minutes in which something was said, in order. */
  finish(): MinuteEntry[] {
    this.close();
    return this.entries;
  }

  private close(): void {
    if (!this.open) return;
    const { minute, records, hash } = this.open;
    this.entries.push({ minute, records, hash: shortHash(hash) });
    this.open = undefined;
  }
}

const shortHash = (hash: Hash): string => hash.digest('hex').slice(0, 16);

/** As the ledger hashes a minute. */
export function hashLines(lines: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const line of lines) hash.update(line);
  return shortHash(hash);
}

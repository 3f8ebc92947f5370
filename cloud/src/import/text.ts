import type { RecordingOut } from './out.js';
import type { Recording } from './recording.js';

/** A line of a text file, without its end. */
interface Line {
  /** From 1. */
  number: number;
  text: string;
}

const lineCharsMax = 64 * 1024;

/** Lines as they are read, some at a time; longer ones than any format has are cut. */
async function* linesOf(recording: Recording): AsyncGenerator<Line[]> {
  let rest = '';
  let number = 0;
  for await (const chunk of recording.chunks()) {
    const parts = (rest + Buffer.from(chunk).toString('latin1')).split('\n');
    rest = parts.pop()!.slice(0, lineCharsMax);
    yield parts.map((text) => ({ number: ++number, text }));
  }
  if (rest !== '') yield [{ number: ++number, text: rest }];
}

/** Gives each line to `take`, which returns what is wrong with it, if anything. */
export async function* readLines(
  recording: Recording,
  out: RecordingOut,
  take: (text: string) => string | undefined,
): AsyncGenerator<void> {
  for await (const lines of linesOf(recording)) {
    for (const { number, text } of lines) {
      const problem = take(text);
      if (problem) out.problem(`line ${number}`, problem);
    }
    yield;
  }
}

/** Bytes of a frame out of text fields, in a buffer that is used again. */
export class DataFields {
  readonly bytes = new Uint8Array(64);

  /** Reads `length` fields from `at`; false where they aren't bytes, or `length` isn't a number. */
  read(fields: readonly string[], at: number, length: number, radix = 16): boolean {
    if (!(length <= this.bytes.length && at + length <= fields.length)) return false;
    for (let i = 0; i < length; i++) {
      const value = wholeNumber(fields[at + i], radix);
      if (!(value <= 255)) return false;
      this.bytes[i] = value;
    }
    return true;
  }
}

const digits: Record<number, RegExp> = { 10: /^\d+$/, 16: /^[0-9a-fA-F]+$/ };

/** NaN where the text is anything else than digits. */
export const wholeNumber = (text: string | undefined, radix = 10): number =>
  text !== undefined && digits[radix].test(text) ? Number.parseInt(text, radix) : NaN;

/** Seconds or milliseconds with decimals in µs, to the nearest; NaN where it isn't a number. */
export function microseconds(text: string | undefined, unitUs: number): number {
  return text !== undefined && /^-?\d+(?:\.\d*)?$/.test(text) ? Math.round(Number(text) * unitUs) : NaN;
}

const DOLLAR = 36;
const ASTERISK = 42;
const COMMA = 44;
const LETTER_P = 80;
const LETTER_Q = 81;

/** The standard allows 82; receivers with many digits, and lists of satellites, are longer. */
const sentenceBytesMax = 256;

/** Where a sentence is in a line, and whether it is right. */
export type Sentence =
  { state: 'right'; type: string; start: number; end: number } | { state: 'wrong checksum' };

/**
 * The last sentence of the line `[start, end)`, as NMEA 0183 forms it: `$`, talker, type, fields, `*` and the XOR of all
 * between. Undefined where there is none: other text, AIS (`!`), a manufacturer's own (`$P…`), a sentence cut short
 * before its checksum.
 */
export function findSentence(bytes: Uint8Array, start: number, end: number): Sentence | undefined {
  const from = Math.max(start, end - sentenceBytesMax);
  let dollar = end - 1;
  while (dollar >= from && bytes[dollar] !== DOLLAR) dollar--;
  if (dollar < from || bytes[dollar + 6] !== COMMA) return undefined;
  // Quectel's modules call the talker of some lists of satellites PQ.
  if (bytes[dollar + 1] === LETTER_P && bytes[dollar + 2] !== LETTER_Q) return undefined;
  let sum = 0;
  let at = dollar + 1;
  while (at < end && bytes[at] !== ASTERISK) sum ^= bytes[at++];
  if (at + 3 > end) return undefined;
  const said = 16 * hexDigit(bytes[at + 1]) + hexDigit(bytes[at + 2]);
  if (sum !== said) return { state: 'wrong checksum' };
  const type = String.fromCharCode(bytes[dollar + 3], bytes[dollar + 4], bytes[dollar + 5]);
  return { state: 'right', type, start: dollar + 1, end: at };
}

/** From the talker and type (field 0) on. */
export function fieldsOf(bytes: Uint8Array, start: number, end: number): string[] {
  // A view over the same memory: strings are made of buffers ten times as fast as of single codes.
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
    .toString('latin1')
    .split(',');
}

/** NaN for what is none. */
function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const upper = byte & ~32;
  return upper >= 65 && upper <= 70 ? upper - 55 : NaN;
}

import { malformedPayload } from '../../batch/payload.js';
import { compress, decompress } from '../../batch/zstd.js';
import { BUSES_MAX, type CandumpStyle, type CanFrames } from '../frames.js';
import { ByteReader } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';

/*
 * head     = size stored facts               ; bytes of the facts, and as stored; 0 stored: plain, else a zstd frame
 * facts    = base style buses verbatim       ; what holds for the whole batch
 * base     = varint                          ; zigzag of baseTimeUs less the header's first time
 * style    = u8                              ; bits 0-2 decimals, 3 lower case, 4 CR LF, 5 padded, 6 trimmed
 * buses    = varint { varint utf8 }          ; how many names; of each its length and bytes
 * verbatim = varint { varint varint bytes }  ; how many lines; of each: frames since the last one, length, bytes
 */
const PLAIN_BYTES_MAX = 96;
const LOWER_CASE = 0x08;
const CRLF = 0x10;
const PADDED = 0x20;
const TRIMMED = 0x40;

/** The head of a payload, and how many bytes it has when decompressed. */
export function writeFacts(frames: CanFrames, firstTimeUs: number): { head: Uint8Array; rawBytes: number } {
  const facts = new ByteWriter();
  const base = frames.baseTimeUs - firstTimeUs;
  facts.varint(base < 0 ? -2 * base - 1 : 2 * base);
  facts.byte(packStyle(frames.style));
  facts.varint(frames.buses.length);
  for (const name of frames.buses) facts.block(Buffer.from(name));
  facts.varint(frames.verbatim.size);
  let next = 0;
  for (const [index, line] of frames.verbatim) {
    facts.varint(index - next);
    facts.block(line);
    next = index + 1;
  }
  const raw = facts.written();
  const head = new ByteWriter();
  head.varint(raw.length);
  if (raw.length <= PLAIN_BYTES_MAX) {
    head.varint(0);
    head.copy(raw);
  } else {
    head.block(compress(raw, 3));
  }
  return { head: head.written(), rawBytes: raw.length };
}

/** Reads the head into the columns; returns how many bytes it has when decompressed. */
export function readFacts(
  input: ByteReader,
  into: CanFrames,
  facts: { count: number; firstTimeUs: number; rawBytesMax: number },
): number {
  const size = input.varint();
  if (size > facts.rawBytesMax) throw malformedPayload('its facts are longer than the header says');
  const stored = input.varint();
  const raw = stored === 0 ? input.borrow(size) : decompress(input.borrow(stored), size);
  readPlainFacts(new ByteReader(raw), into, facts.count, facts.firstTimeUs);
  return size;
}

function readPlainFacts(input: ByteReader, into: CanFrames, count: number, firstTimeUs: number): void {
  const base = input.varint();
  into.baseTimeUs = firstTimeUs + (base % 2 === 1 ? -(base + 1) / 2 : base / 2);
  if (!Number.isSafeInteger(into.baseTimeUs)) throw malformedPayload('its base time is impossible');
  into.style = unpackStyle(input.byte());
  const buses = input.varint();
  if (buses > BUSES_MAX) throw malformedPayload('it has too many buses');
  for (let i = 0; i < buses; i++) into.buses.push(Buffer.from(input.borrow(input.varint())).toString());
  const lines = input.varint();
  if (lines > count) throw malformedPayload('it has more lines than frames');
  let next = 0;
  for (let i = 0; i < lines; i++) {
    const index = next + input.varint();
    if (index >= count) throw malformedPayload('it has a line without a frame');
    into.verbatim.set(index, input.borrow(input.varint()).slice());
    next = index + 1;
  }
  if (!input.isAtEnd) throw malformedPayload('bytes follow its facts');
}

function packStyle(style: CandumpStyle): number {
  return (
    style.decimals |
    (style.lowerCase ? LOWER_CASE : 0) |
    (style.crlf ? CRLF : 0) |
    (style.padded ? PADDED : 0) |
    (style.trimmed ? TRIMMED : 0)
  );
}

function unpackStyle(bits: number): CandumpStyle {
  const decimals = bits & 7;
  if (decimals > 6 || bits > (7 | LOWER_CASE | CRLF | PADDED | TRIMMED))
    throw malformedPayload('its style is unknown');
  return {
    decimals,
    lowerCase: (bits & LOWER_CASE) !== 0,
    crlf: (bits & CRLF) !== 0,
    padded: (bits & PADDED) !== 0,
    trimmed: (bits & TRIMMED) !== 0,
  };
}

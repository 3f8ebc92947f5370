import { BUSES_MAX, type CandumpStyle, type CanFrames } from '../frames.js';
import type { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';
import { malformed } from './malformed.js';

/*
 * facts    = base style buses verbatim       ; what holds for the whole batch
 * base     = varint                          ; zigzag of baseTimeUs
 * style    = u8                              ; bits 0-2 decimals, 3 lower case, 4 CR LF, 5 padded
 * buses    = varint { varint utf8 }          ; number of names; of each its length and bytes
 * verbatim = varint { varint varint bytes }  ; number of lines; of each: frames since the last one, length, bytes
 */
export function writeFacts(frames: CanFrames, out: ByteWriter): void {
  const base = frames.baseTimeUs;
  out.varint(base < 0 ? -2 * base - 1 : 2 * base);
  out.u8(packStyle(frames.style));
  out.varint(frames.buses.length);
  for (const name of frames.buses) out.block(Buffer.from(name));
  out.varint(frames.verbatim.size);
  let next = 0;
  for (const [index, line] of frames.verbatim) {
    out.varint(index - next);
    next = index + 1;
    out.block(line);
  }
}

export function readFacts(input: ByteReader, into: CanFrames, count: number): void {
  const base = input.varint();
  into.baseTimeUs = base % 2 === 1 ? -(base + 1) / 2 : base / 2;
  into.style = unpackStyle(input.u8());
  const buses = input.varint();
  if (buses > BUSES_MAX) throw malformed('it has too many buses');
  for (let i = 0; i < buses; i++) into.buses.push(decodeUtf8(input.borrow(input.varint())));
  const lines = input.varint();
  if (lines > count) throw malformed('it has more lines than frames');
  let next = 0;
  for (let i = 0; i < lines; i++) {
    const index = next + input.varint();
    if (index >= count) throw malformed('it has a line without a frame');
    next = index + 1;
    into.verbatim.set(index, input.borrow(input.varint()).slice());
  }
}

const decodeUtf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

function packStyle(style: CandumpStyle): number {
  return (
    style.decimals | (style.lowerCase ? 0x08 : 0) | (style.crlf ? 0x10 : 0) | (style.padded ? 0x20 : 0)
  );
}

function unpackStyle(bits: number): CandumpStyle {
  const decimals = bits & 7;
  if (decimals > 6 || bits > 0x3f) throw malformed('its style is unknown');
  return {
    decimals,
    lowerCase: (bits & 0x08) !== 0,
    crlf: (bits & 0x10) !== 0,
    padded: (bits & 0x20) !== 0,
  };
}

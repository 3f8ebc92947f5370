import { isUtf8 } from 'node:buffer';
import type { BatchHeader, TextLines } from '@fleetlog/shared/batch';
import { CandumpFormatter } from '@fleetlog/shared/can';
import { NdjsonFormatter } from '../export/ndjson.js';
import { withoutLineEnd } from '../export/record-json.js';
import type { Records } from '../export/records.js';

export const tailFormats = ['ndjson', 'text'] as const;
export type TailFormat = (typeof tailFormats)[number];

const recordsPerPiece = 4096;
const LF = 0x0a;
const TAB = 0x09;
const DELETE = 0x7f;

/**
 * The records of a batch for somebody who watches, in the order of the batch, in pieces of bounded size. `ndjson` is
 * that of the export with `gateway` and `stream` in front; `text` is a line for each record: gateway, stream, and the
 * line of candump, the text line (hexadecimal digits where it is no text), or JSON.
 */
export function* tailPieces(
  format: TailFormat,
  source: BatchHeader,
  records: Records,
): Generator<Uint8Array> {
  const { count } = records.columns;
  const { gateway, stream } = source;
  const prefix = Buffer.from(`${gateway} ${stream} `);
  const candump = new CandumpFormatter();
  const json = new NdjsonFormatter(format === 'ndjson');
  for (let from = 0; from < count; from += recordsPerPiece) {
    const to = Math.min(count, from + recordsPerPiece);
    if (format === 'ndjson') yield json.format(records, from, to, source);
    else if (records.kind === 'can') yield prefixed(candump.format(records.columns, from, to), prefix);
    else if (records.kind === 'lines') yield prefixedRecords(records.columns, from, to, prefix);
    else yield prefixed(json.format(records, from, to, source), prefix);
  }
}

/** Each line of `text` behind the prefix, ending in a line feed alone. */
function prefixed(text: Uint8Array, prefix: Uint8Array): Uint8Array {
  let lines = 1;
  for (let at = text.indexOf(LF); at >= 0; at = text.indexOf(LF, at + 1)) lines++;
  const out = Buffer.allocUnsafe(text.length + lines * (prefix.length + 1));
  let length = 0;
  for (let at = 0; at < text.length;) {
    const end = text.indexOf(LF, at) + 1 || text.length;
    length = putLine(out, length, prefix, text.subarray(at, end));
    at = end;
  }
  return out.subarray(0, length);
}

function prefixedRecords(lines: TextLines, from: number, to: number, prefix: Uint8Array): Uint8Array {
  const texts: Uint8Array[] = [];
  let length = 0;
  for (let i = from; i < to; i++) {
    const text = readable(withoutLineEnd(lines.line(i)));
    texts.push(text);
    length += prefix.length + text.length + 1;
  }
  const out = Buffer.allocUnsafe(length);
  let at = 0;
  for (const text of texts) at = putLine(out, at, prefix, text);
  return out;
}

/** Bytes that are no text, such as a packet of a receiver, would upset a terminal: they come as hexadecimal digits. */
function readable(line: Uint8Array): Uint8Array {
  if (isUtf8(line) && !line.some((byte) => (byte < 32 && byte !== TAB) || byte === DELETE)) return line;
  return Buffer.from(Buffer.from(line).toString('hex'));
}

function putLine(out: Uint8Array, at: number, prefix: Uint8Array, line: Uint8Array): number {
  const text = withoutLineEnd(line);
  out.set(prefix, at);
  out.set(text, at + prefix.length);
  at += prefix.length + text.length;
  out[at] = LF;
  return at + 1;
}

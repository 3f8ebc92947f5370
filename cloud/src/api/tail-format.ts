import type { BatchHeader, TextLines } from '@fleetlog/shared/batch';
import { CandumpFormatter } from '@fleetlog/shared/can';
import { NdjsonFormatter, withoutLineEnd } from '../export/ndjson.js';
import type { Records } from '../export/records.js';

export const tailFormats = ['ndjson', 'text'] as const;
export type TailFormat = (typeof tailFormats)[number];

const recordsPerPiece = 4096;
const LF = 0x0a;

/**
 * The records of a batch for somebody who watches, in the order of the batch, in pieces of bounded size. `ndjson` is
 * that of the export with `gateway` and `stream` in front; `text` is a line for each record: gateway, stream, and the
 * line of candump, the text line, or JSON.
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
  const textBytes = lines.lineStart[to] - lines.lineStart[from];
  const out = Buffer.allocUnsafe(textBytes + (to - from) * (prefix.length + 1));
  let length = 0;
  for (let i = from; i < to; i++) length = putLine(out, length, prefix, lines.line(i));
  return out.subarray(0, length);
}

function putLine(out: Uint8Array, at: number, prefix: Uint8Array, line: Uint8Array): number {
  const text = withoutLineEnd(line);
  out.set(prefix, at);
  out.set(text, at + prefix.length);
  at += prefix.length + text.length;
  out[at] = LF;
  return at + 1;
}

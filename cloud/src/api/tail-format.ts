import type { BatchHeader } from '@fleetlog/shared/batch';
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
  { gateway, stream }: BatchHeader,
  records: Records,
): Generator<Uint8Array> {
  const { count } = records.columns;
  const prefix = Buffer.from(`${gateway} ${stream} `);
  const candump = new CandumpFormatter();
  const plain = new NdjsonFormatter();
  const named = new NdjsonFormatter({ gateway, stream });
  for (let from = 0; from < count; from += recordsPerPiece) {
    const to = Math.min(count, from + recordsPerPiece);
    if (format === 'ndjson') yield named.format(records, from, to);
    else if (records.kind === 'can') yield prefixed(linesOf(candump.format(records.columns, from, to)), prefix);
    else if (records.kind === 'lines') {
      const { columns } = records;
      yield prefixed(range(from, to).map((i) => withoutLineEnd(columns.line(i))), prefix);
    } else yield prefixed(linesOf(plain.format(records, from, to)), prefix);
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** Without their line ends. */
function linesOf(text: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let at = 0; at < text.length;) {
    const end = text.indexOf(LF, at) + 1 || text.length;
    lines.push(withoutLineEnd(text.subarray(at, end)));
    at = end;
  }
  return lines;
}

const prefixed = (lines: readonly Uint8Array[], prefix: Uint8Array): Uint8Array =>
  Buffer.concat(lines.flatMap((line) => [prefix, line, lineEnd]));

const lineEnd = Uint8Array.of(LF);

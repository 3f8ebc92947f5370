import { oneLine } from './fleetlog-table.js';

/* Tables of rows that stream: each row is shown as it comes, so widths are chosen before. */

type Cell = number | string | null | undefined;
const timeWidth = '2026-11-05T10:00:00.000000Z'.length;
const valueWidth = 12;

/** Rows with a column for each title; `none` stands for null. */
export function rowTable(
  chunks: AsyncIterable<Uint8Array>,
  titles: readonly string[],
  none: string,
): AsyncGenerator<string> {
  const widths = titles.map((name) => Math.max(valueWidth, oneLine(name).length));
  const head = titles.map((name, k) => oneLine(name).padStart(widths[k])).join('  ');
  return table<Record<string, Cell>>(
    chunks,
    `${'time'.padEnd(timeWidth)}  ${head}\n`,
    (row) =>
      `${String(row['time']).padEnd(timeWidth)}  ${titles.map((name, k) => cell(row[name], none).padStart(widths[k])).join('  ')}\n`,
  );
}

/** Rows of one value each. */
export function valueTable(
  chunks: AsyncIterable<Uint8Array>,
  titles: readonly string[],
): AsyncGenerator<string> {
  const width = Math.max(...titles.map((name) => oneLine(name).length), 'signal'.length);
  return table<{ time: string; signal: string; value: Cell }>(
    chunks,
    `${'time'.padEnd(timeWidth)}  ${'signal'.padEnd(width)}  ${'value'.padStart(valueWidth)}\n`,
    ({ time, signal, value }) =>
      `${time.padEnd(timeWidth)}  ${oneLine(signal).padEnd(width)}  ${cell(value, 'nan').padStart(valueWidth)}\n`,
  );
}

async function* table<Row>(
  chunks: AsyncIterable<Uint8Array>,
  titles: string,
  lineOf: (row: Row) => string,
): AsyncGenerator<string> {
  let head = titles;
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    let text = head;
    head = '';
    for (const line of lines) text += lineOf(JSON.parse(line) as Row);
    if (text !== '') yield text;
  }
}

/** Numbers to 12 digits, which hides the rounding of 2781 × 0.01; csv and ndjson have all of them. */
function cell(value: Cell, none: string): string {
  if (value === undefined) return '';
  if (value === null) return none;
  return typeof value === 'number' ? String(Number(value.toPrecision(12))) : oneLine(value);
}

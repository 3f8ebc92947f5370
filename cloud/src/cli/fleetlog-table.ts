export interface Column<Row> {
  title: string;
  text: (row: Row) => string;
  /** Numbers stand at the right. */
  right?: boolean;
}

/** Columns under their titles, two spaces apart; ends in a line end. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ text }) => text(row))),
  ];
  const widths = columns.map((_, c) => cells.reduce((most, line) => Math.max(most, line[c].length), 0));
  const lines = cells.map((line) =>
    line
      .map((cell, c) => (columns[c].right ? cell.padStart(widths[c]) : cell.padEnd(widths[c])))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

export const count = (value: number): string => value.toLocaleString('en');

/** `512 B`, `1.2 MB`. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** To the second, for people; JSON has the µs. */
export const moment = (iso: string | undefined): string =>
  iso ? `${iso.slice(0, 19).replace('T', ' ')}Z` : '-';

/** `3 s`, `5 min`, `2 d`. */
export function span(seconds: number): string {
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export const ago = (seconds: number | undefined): string =>
  seconds === undefined ? '-' : `${span(seconds)} ago`;

const widest = 60;

/** Words of a file or a gateway on one line: short, and without what steers a terminal. */
export function oneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\s]+/gu, ' ');
  return line.length > widest ? `${line.slice(0, widest - 1)}…` : line;
}

/** Something in a database that a person should know. Lines and columns count from 1. */
export interface Problem {
  /** `error`: this part can't be read and is left out; `warning`: it is read, and strange. */
  severity: 'error' | 'warning';
  line: number;
  column: number;
  text: string;
}

/** Problems kept of each severity; more are only counted. */
const keptMax = 200;

/** Collects problems by their place in the text. */
export class Problems {
  errors = 0;
  warnings = 0;
  private readonly kept: Problem[] = [];
  private lineStarts: number[] | undefined;

  constructor(private readonly text: string) {}

  error(at: number, text: string): void {
    if (this.errors++ < keptMax) this.keep('error', at, text);
  }

  warn(at: number, text: string): void {
    if (this.warnings++ < keptMax) this.keep('warning', at, text);
  }

  /** In the order of the text, 200 of each severity at most. */
  list(): Problem[] {
    return this.kept.sort((a, b) => a.line - b.line || a.column - b.column);
  }

  private keep(severity: Problem['severity'], at: number, text: string): void {
    this.lineStarts ??= lineStartsOf(this.text);
    const starts = this.lineStarts;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= at) low = middle;
      else high = middle - 1;
    }
    this.kept.push({ severity, line: low + 1, column: at - starts[low] + 1, text });
  }
}

/** A line ends with LF, CR LF or a lone CR. */
function lineStartsOf(text: string): number[] {
  const starts = [0];
  for (const { index, 0: end } of text.matchAll(/\r\n?|\n/g)) starts.push(index + end.length);
  return starts;
}

/** Text out of a file, short and without what would steer a terminal. */
export const quoted = (text: string): string => {
  const printable = text.slice(0, 41).replace(/\p{Cc}/gu, ' ');
  return `"${printable.length > 40 ? `${printable.slice(0, 40)}…` : printable}"`;
};

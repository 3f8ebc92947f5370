import type { TextLines } from '@fleetlog/shared/batch';
import type { Series } from '../decode/decoder.js';
import type { LineSignal } from '../stream-signal.js';
import { LineReader } from './line-reader.js';
import { PositionReader } from './position-reader.js';
import type { Fix } from './position.js';
import { ValueColumn } from './value-column.js';

interface Wanted {
  column: ValueColumn;
  place: number;
}

/**
 * Decodes columns of signals out of the lines of one stream. A position has the time of the first report of its epoch,
 * and is known when the epoch has ended: values that are younger are held back until then.
 */
export class LineDecoder {
  private readonly columns: readonly (ValueColumn | undefined)[];
  private readonly byType = new Map<string, Wanted[]>();
  private readonly reader: LineReader;
  private readonly positions: PositionReader | undefined;

  /** By column, what it shows; undefined leaves it empty. */
  constructor(columns: readonly (LineSignal | undefined)[]) {
    const position: Wanted[] = [];
    this.columns = columns.map((signal) => {
      if (!signal) return undefined;
      const wanted = { column: new ValueColumn(), place: signal.place };
      if (signal.dialect === undefined) position.push(wanted);
      else this.byType.set(signal.type, [...(this.byType.get(signal.type) ?? []), wanted]);
      return wanted.column;
    });
    if (position.length > 0) {
      this.positions = new PositionReader((timeUs, fix: Fix) => {
        for (const { column, place } of position) column.add(timeUs, fix[place]);
      });
    }
    this.reader = new LineReader(this.positions ? undefined : (type) => this.byType.has(type));
  }

  /** What the lines `[from, to)`, which are in the order of time, say; the series hold until the next is taken. */
  *decode(lines: TextLines, from: number, to: number): Generator<Series[]> {
    const { reader, positions, byType } = this;
    const { bytes, lineStart } = lines;
    for (let i = from; i < to; i++) {
      const timeUs = lines.timeUs(i);
      const report = reader.read(bytes, lineStart[i], lineStart[i + 1], timeUs);
      if (report === undefined || report === 'wrong checksum') continue;
      positions?.take(report, timeUs);
      const wanted = byType.get(report.type);
      if (wanted) for (const { column, place } of wanted) column.add(timeUs, report.read(place));
    }
    if (to > from) positions?.expire(lines.timeUs(to - 1));
    yield* this.handOver(positions?.openSinceUs ?? Infinity);
  }

  /** No more lines come for now: what was held back. */
  *finish(): Generator<Series[]> {
    if (!this.positions) return;
    this.positions.finish();
    yield* this.handOver(Infinity);
  }

  private *handOver(untilUs: number): Generator<Series[]> {
    const series = this.columns.map((column) => column?.before(untilUs) ?? nothing);
    if (series.every(({ count }) => count === 0)) return;
    yield series;
    this.columns.forEach((column, i) => column?.drop(series[i].count));
  }
}

const nothing: Series = {
  count: 0,
  times: new Float64Array(0),
  values: new Float64Array(0),
  tooShort: 0,
};

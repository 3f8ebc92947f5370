import { ParquetFile, timeColumn } from './parquet-file.js';
import type { SignalColumn, SignalFormatter } from './signals.js';

/** Values that are held until they make a row group, which is encoded in one go. */
const valuesPerGroup = 2 ** 17;
const rowsPerGroupMax = 16_384;
const nothing = new Uint8Array(0);

/** `time` (µs, UTC) and a column of doubles for each signal, null where it has no value at that time. */
export class ParquetSignalFormatter implements SignalFormatter {
  private readonly file: ParquetFile;
  private readonly time: BigInt64Array;
  private readonly values: (number | null)[][];
  private readonly rowsPerGroup: number;
  private rows = 0;

  constructor(columns: readonly SignalColumn[]) {
    this.file = new ParquetFile([
      timeColumn,
      ...columns.map(({ name }) => ({ element: { name, type: 'DOUBLE' as const }, nullable: true })),
    ]);
    this.rowsPerGroup = Math.min(rowsPerGroupMax, Math.ceil(valuesPerGroup / columns.length));
    this.time = new BigInt64Array(this.rowsPerGroup);
    this.values = columns.map(() => []);
  }

  row(timeUs: number, values: readonly (number | undefined)[]): Uint8Array {
    this.time[this.rows++] = BigInt(timeUs);
    for (let k = 0; k < values.length; k++) this.values[k].push(values[k] ?? null);
    if (this.rows < this.rowsPerGroup) return nothing;
    this.flush();
    return this.file.take();
  }

  end(): Uint8Array {
    if (this.rows > 0) this.flush();
    this.file.end();
    return this.file.take();
  }

  private flush(): void {
    this.file.addGroup([this.time.subarray(0, this.rows), ...this.values]);
    for (const column of this.values) column.length = 0;
    this.rows = 0;
  }
}

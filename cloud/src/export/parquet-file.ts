import { zstdCompressSync } from 'node:zlib';
import { ByteWriter, ParquetWriter, type ColumnSource, type SchemaElement } from 'hyparquet-writer';
import { ParquetFooter } from './parquet-footer.js';

/** A column without its values. */
export interface ParquetColumn {
  element: SchemaElement;
  nullable?: boolean;
  encoding?: ColumnSource['encoding'];
  /** Least and greatest values, by which readers skip row groups. */
  statistics?: boolean;
}

/** A moment, µs since the Unix epoch as bigint. */
export const timeColumn: ParquetColumn = {
  element: {
    name: 'time',
    type: 'INT64',
    converted_type: 'TIMESTAMP_MICROS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
  },
  encoding: 'DELTA_BINARY_PACKED',
  statistics: true,
};

const createdBy = 'fleetlog';
const magic = new TextEncoder().encode('PAR1');

/**
 * A Parquet file in pieces: row groups are out as soon as they are written; what stays in memory is their place, some
 * hundred bytes a column and group, which the format wants at the end. zstd.
 */
export class ParquetFile {
  private readonly bytes = new ByteWriter(1024 * 1024);
  private readonly writer: ParquetWriter;
  private readonly footer: ParquetFooter;

  constructor(private readonly columns: readonly ParquetColumn[]) {
    const elements = columns.map(({ element, nullable }): SchemaElement => ({
      ...element,
      repetition_type: nullable ? 'OPTIONAL' : 'REQUIRED',
    }));
    const schema: SchemaElement[] = [{ name: 'root', num_children: columns.length }, ...elements];
    this.footer = new ParquetFooter(schema, createdBy);
    this.writer = new ParquetWriter({
      writer: this.bytes,
      schema,
      codec: 'ZSTD',
      compressors: { ZSTD: (input) => zstdCompressSync(input) },
      createdBy,
    });
  }

  /** Writes a row group: values by column, all of one length. */
  addGroup(values: readonly ColumnSource['data'][]): void {
    const rows = values[0].length;
    void this.writer.write({
      columnData: this.columns.map(({ element, encoding, statistics = false }, k) => ({
        name: element.name,
        data: values[k],
        statistics,
        offsetIndex: false,
        ...(encoding && { encoding }),
      })),
      rowGroupSize: rows,
    });
    for (const group of this.writer.row_groups.splice(0)) this.footer.add(group);
    this.writer.pendingIndexes.length = 0; // there are none, but of each column it keeps where they would be
  }

  end(): void {
    this.footer.write(this.bytes);
    this.bytes.appendBytes(magic);
  }

  /** What was written since the last call; it belongs to the caller. */
  take(): Uint8Array {
    const taken = this.bytes.getBytes().slice();
    this.bytes.index = 0;
    return taken;
  }
}

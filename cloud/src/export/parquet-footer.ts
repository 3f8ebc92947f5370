import { ByteWriter, type ParquetWriter, type SchemaElement } from 'hyparquet-writer';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';
import { GrowingBytes } from './growing-bytes.js';

type RowGroup = ParquetWriter['row_groups'][number];

/** Compact Thrift: the element type of a list of structs, and the size from which a list has it in bytes of its own. */
const structType = 12;
const longList = 15;

/**
 * What a Parquet file says at its end of its row groups, kept in the bytes that will be written: some hundred a column
 * and group. Objects would take ten times as much, and a day of a bus has ten thousand groups.
 */
export class ParquetFooter {
  private readonly groups = new GrowingBytes();
  private first: RowGroup | undefined;
  private count = 0;
  private rows = 0n;

  constructor(
    private readonly schema: SchemaElement[],
    private readonly createdBy: string,
  ) {}

  add(group: RowGroup): void {
    this.first ??= group;
    const { whole, listAt, tail } = this.split(group);
    this.groups.bytes(whole.subarray(listAt + 1, whole.length - tail.length));
    this.count++;
    this.rows += group.num_rows;
  }

  /** The metadata with its length behind it. */
  write(to: ByteWriter): void {
    if (!this.first) {
      to.appendBytes(this.encode([]));
      return;
    }
    const { whole, listAt, tail } = this.split(this.first);
    const start = to.offset;
    to.appendBytes(whole.subarray(0, listAt));
    to.appendUint8((Math.min(this.count, longList) << 4) | structType);
    if (this.count >= longList) to.appendVarInt(this.count);
    to.appendBytes(this.groups.written);
    to.appendBytes(tail.subarray(0, tail.length - 4));
    to.appendUint32(to.offset - start);
  }

  /**
   * The metadata with one group, where the head of the list of groups is, and what is behind the list: up to that head,
   * and behind the list, they are as they are without any group.
   */
  private split(group: RowGroup): { whole: Uint8Array; listAt: number; tail: Uint8Array } {
    const none = this.encode([]);
    const whole = this.encode([group]);
    let listAt = 0;
    while (whole[listAt] === none[listAt]) listAt++;
    return { whole, listAt, tail: none.subarray(listAt + 1) };
  }

  private encode(groups: RowGroup[]): Uint8Array {
    const writer = new ByteWriter();
    const { schema, createdBy, rows } = this;
    writeMetadata(writer, {
      version: 2,
      created_by: createdBy,
      schema,
      num_rows: rows,
      row_groups: groups,
      metadata_length: 0,
    });
    return writer.getBytes();
  }
}

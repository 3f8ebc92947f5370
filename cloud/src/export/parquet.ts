import type { CanFrames } from '@fleetlog/shared/can';
import type { Formatter } from './formatter.js';
import { FrameFields } from './frame-fields.js';
import { GrowingBytes } from './growing-bytes.js';
import type { StreamRef } from './merge-streams.js';
import { ParquetFile, timeColumn, type ParquetColumn } from './parquet-file.js';
import type { Records } from './records.js';

/**
 * A group is encoded in one go, for which everything else in the process waits: some 25 ms. Twice as many rows make the
 * process a fifth larger, by garbage.
 */
const rowsPerGroup = 8192;

const text = (name: string): ParquetColumn => ({
  element: { name, type: 'BYTE_ARRAY', converted_type: 'UTF8' },
});
const flag = (name: string): ParquetColumn => ({ element: { name, type: 'BOOLEAN' } });

const columns: readonly ParquetColumn[] = [
  text('gateway'),
  text('stream'),
  timeColumn,
  text('bus'),
  { element: { name: 'id', type: 'INT32', converted_type: 'UINT_32' }, statistics: true },
  flag('extended'),
  text('type'),
  flag('brs'),
  flag('esi'),
  { ...text('direction'), nullable: true },
  { element: { name: 'dlc', type: 'INT32', converted_type: 'UINT_8' } },
  { element: { name: 'data', type: 'BYTE_ARRAY' } },
];

/**
 * Frames in Apache Parquet: `gateway`, `stream`, `time` (µs, UTC), `bus`, `id`, `extended`, `type` (data, remote, fd,
 * error), `brs`, `esi`, `direction` (rx, tx, null), `dlc` (of fd the number of bytes), `data`. Groups of 8,192 rows.
 */
export class ParquetFormatter implements Formatter {
  readonly kinds = ['can'] as const;
  private readonly file = new ParquetFile(columns);
  private readonly frame = new FrameFields();
  private rows = 0;
  private readonly gateway: string[] = [];
  private readonly stream: string[] = [];
  private readonly time = new BigInt64Array(rowsPerGroup);
  private readonly bus: string[] = [];
  private readonly id = new Uint32Array(rowsPerGroup);
  private readonly extended: boolean[] = [];
  private readonly type: string[] = [];
  private readonly brs: boolean[] = [];
  private readonly esi: boolean[] = [];
  private readonly direction: (string | null)[] = [];
  private readonly dlc = new Int32Array(rowsPerGroup);
  /** Of all rows, one behind the other; the frames are used again for others before this group is written. */
  private readonly bytes = new GrowingBytes(8 * rowsPerGroup);
  private readonly dataEnd = new Uint32Array(rowsPerGroup);

  format({ kind, columns: frames }: Records, from: number, to: number, source: StreamRef): Uint8Array {
    if (kind !== 'can') return new Uint8Array(0);
    for (let i = from; i < to; i++) {
      this.add(frames, i, source);
      if (this.rows === rowsPerGroup) this.flush();
    }
    return this.file.take();
  }

  end(): Uint8Array {
    if (this.rows > 0) this.flush();
    this.file.end();
    return this.file.take();
  }

  private add(frames: CanFrames, index: number, { gateway, stream }: StreamRef): void {
    const row = this.rows++;
    const { frame } = this;
    frame.read(frames, index);
    this.gateway.push(gateway);
    this.stream.push(stream);
    this.time[row] = BigInt(frames.timeUs(index));
    this.bus.push(frame.bus);
    this.id[row] = frame.id;
    this.extended.push(frame.isLong);
    this.type.push(frame.type);
    this.brs.push(frame.brs);
    this.esi.push(frame.esi);
    this.direction.push(frame.direction ?? null);
    this.dlc[row] = frame.dlc;
    this.bytes.bytes(frames.data.subarray(frames.dataStart[index], frames.dataStart[index + 1]));
    this.dataEnd[row] = this.bytes.length;
  }

  private flush(): void {
    const { rows, gateway, stream, time, bus, id, extended, type, brs, esi, direction, dlc } = this;
    this.file.addGroup([
      gateway,
      stream,
      time.subarray(0, rows),
      bus,
      id.subarray(0, rows),
      extended,
      type,
      brs,
      esi,
      direction,
      dlc.subarray(0, rows),
      this.data(),
    ]);
    for (const column of [gateway, stream, bus, extended, type, brs, esi, direction]) column.length = 0;
    this.rows = 0;
    this.bytes.clear();
  }

  private data(): Uint8Array[] {
    const { written } = this.bytes;
    return Array.from({ length: this.rows }, (_, row) =>
      written.subarray(row === 0 ? 0 : this.dataEnd[row - 1], this.dataEnd[row]),
    );
  }
}

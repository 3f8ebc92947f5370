import {
  CAN_EFF_FLAG,
  CAN_EFF_MASK,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  CAN_SFF_MASK,
  FRAME_BRS,
  FRAME_ESI,
  FRAME_FD,
  FRAME_RX,
  FRAME_TX,
  type CanFrames,
} from '@fleetlog/shared/can';
import type { Formatter } from './formatter.js';
import type { StreamRef } from './merge-streams.js';
import { ParquetFile, timeColumn, type ParquetColumn } from './parquet-file.js';
import type { Records } from './records.js';

/** A group is encoded in one go, for which everything else in the process waits: some 50 ms. */
const rowsPerGroup = 16_384;

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
 * error), `brs`, `esi`, `direction` (rx, tx, null), `dlc` (of fd the number of bytes), `data`. Groups of 16,384 rows.
 */
export class ParquetFormatter implements Formatter {
  readonly kinds = ['can'] as const;
  private readonly file = new ParquetFile(columns);
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
  private readonly data: Uint8Array[] = [];

  format({ kind, columns: frames }: Records, from: number, to: number, source: StreamRef): Uint8Array {
    if (kind !== 'can') return new Uint8Array(0);
    // The frames are used again for others before this group is written.
    const start = frames.dataStart[from];
    const bytes = frames.data.slice(start, frames.dataStart[to]);
    for (let i = from; i < to; i++) {
      this.add(frames, i, source);
      this.data.push(bytes.subarray(frames.dataStart[i] - start, frames.dataStart[i + 1] - start));
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
    const id = frames.id[index];
    const flags = frames.flags[index];
    const isLong = (id & (CAN_EFF_FLAG | CAN_ERR_FLAG)) !== 0;
    const isFd = (flags & FRAME_FD) !== 0;
    this.gateway.push(gateway);
    this.stream.push(stream);
    this.time[row] = BigInt(frames.timeUs(index));
    this.bus.push(frames.buses[frames.bus[index]]);
    this.id[row] = isLong ? id & (CAN_ERR_FLAG | CAN_EFF_MASK) : id & CAN_SFF_MASK;
    this.extended.push(isLong);
    this.type.push(id & CAN_ERR_FLAG ? 'error' : id & CAN_RTR_FLAG ? 'remote' : isFd ? 'fd' : 'data');
    this.brs.push(isFd && (flags & FRAME_BRS) !== 0);
    this.esi.push(isFd && (flags & FRAME_ESI) !== 0);
    this.direction.push(flags & FRAME_RX ? 'rx' : flags & FRAME_TX ? 'tx' : null);
    this.dlc[row] = isFd ? frames.dataStart[index + 1] - frames.dataStart[index] : frames.dlc[index];
  }

  private flush(): void {
    const { rows, gateway, stream, time, bus, id, extended, type, brs, esi, direction, dlc, data } = this;
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
      data,
    ]);
    for (const column of [gateway, stream, bus, extended, type, brs, esi, direction, data]) column.length = 0;
    this.rows = 0;
  }
}

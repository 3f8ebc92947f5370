import {
  CAN_EFF_FLAG,
  CAN_EFF_MASK,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  FRAME_BRS,
  FRAME_ESI,
  FRAME_FD,
  FRAME_TX,
  type CanFrames,
} from '@fleetlog/shared/can';
import { ChannelNumbers } from './channel-numbers.js';
import type { Formatter } from './formatter.js';
import { GrowingBytes } from './growing-bytes.js';
import { mf4Head, record, recordBytes } from './mf4-head.js';
import type { Records } from './records.js';

const channelsMax = 255;
const dlcMax = 15;

/**
 * MF4 (ASAM MDF 4.1, bus logging), unsorted as the CANedge writes it: one run of records as they come. Times are seconds
 * since the first frame, whose time is in the head; interfaces become channel numbers. Error frames lose their cause,
 * and frames without a direction count as received. Counts and length are in `finalHead` only.
 */
export class Mf4Formatter implements Formatter {
  readonly kinds = ['can'] as const;
  private readonly channels = new ChannelNumbers(channelsMax);
  private readonly out = new GrowingBytes(64 * 1024);
  private readonly counts = new Map<number, number>();
  private startUs: number | undefined;
  private dataBytes = 0;

  format({ kind, columns }: Records, from: number, to: number): Uint8Array {
    this.out.clear();
    if (kind !== 'can') return this.out.written;
    this.begin(columns.timeUs(from));
    const headBytes = this.out.length;
    const channels = this.channels.of(columns);
    for (let i = from; i < to; i++) this.add(columns, i, channels[columns.bus[i]]);
    this.dataBytes += this.out.length - headBytes;
    return this.out.written;
  }

  end(): Uint8Array {
    this.out.clear();
    this.begin(0);
    return this.out.written;
  }

  finalHead(): Uint8Array {
    return mf4Head(this.startUs!, { counts: this.counts, dataBytes: this.dataBytes });
  }

  private begin(firstTimeUs: number): void {
    if (this.startUs !== undefined) return;
    this.startUs = firstTimeUs;
    this.out.bytes(mf4Head(firstTimeUs, undefined));
  }

  private add(frames: CanFrames, index: number, channel: number): void {
    const { out } = this;
    const id = frames.id[index];
    const flags = frames.flags[index];
    const isFd = (flags & FRAME_FD) !== 0;
    const kind =
      id & CAN_ERR_FLAG ? record.error : id & CAN_RTR_FLAG ? record.remote : isFd ? record.fd : record.data;
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const end = out.length + 1 + recordBytes[kind];
    out.u8(kind);
    out.double((frames.timeUs(index) - this.startUs!) / 1e6);
    if (kind === record.error) {
      out.u8(channel);
      out.u8(0); // of an unknown type
      return;
    }
    const isExtended = (id & CAN_EFF_FLAG) !== 0;
    out.u32(((id & CAN_EFF_MASK) | (isExtended ? CAN_EFF_FLAG : 0)) >>> 0);
    out.u8(channel);
    const bits = isFd ? 2 | (flags & FRAME_BRS ? 4 : 0) | (flags & FRAME_ESI ? 8 : 0) : 0;
    out.u8((flags & FRAME_TX ? 1 : 0) | bits | (Math.min(frames.dlc[index], dlcMax) << 4));
    const start = frames.dataStart[index];
    out.u8(frames.dataStart[index + 1] - start);
    if (kind === record.remote) return;
    out.bytes(frames.data.subarray(start, frames.dataStart[index + 1]));
    while (out.length < end) out.u8(0);
  }
}

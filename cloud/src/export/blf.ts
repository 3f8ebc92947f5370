import { deflateSync } from 'node:zlib';
import {
  CAN_EFF_FLAG,
  CAN_EFF_MASK,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  FRAME_BRS,
  FRAME_ESI,
  FRAME_FD,
  FRAME_TX,
  fdDlcByLength,
  type CanFrames,
} from '@fleetlog/shared/can';
import { ChannelNumbers } from './channel-numbers.js';
import type { Formatter } from './formatter.js';
import type { Records } from './records.js';

const headBytes = 144;
const containerBytesMax = 128 * 1024;
const containerHeadBytes = 32;
const objectHeadBytes = 32;
/** Level 3 costs half the time of the default and makes files 5 % longer. */
const compressionLevel = 3;
const channelsMax = 0xffff;

/** Object types, as the readers of the format name them. */
const CAN_MESSAGE = 1;
const LOG_CONTAINER = 10;
const CAN_ERROR_EXT = 73;
const CAN_FD_MESSAGE = 100;
const zlibDeflate = 2;
const timesInNs = 2;

/**
 * Vector's binary log: objects in zlib-compressed containers. Times are ns since the start in the head, which is the
 * first frame's time cut to ms (UTC). Interfaces become channel numbers. Error frames keep Linux's class and data in the
 * fields for identifier and data. Sizes, counts and the end are in `finalHead` only.
 */
export class BlfFormatter implements Formatter {
  readonly kinds = ['can'] as const;
  private readonly channels = new ChannelNumbers(channelsMax);
  private readonly container = Buffer.alloc(containerBytesMax);
  private used = 0;
  private parts: Uint8Array[] = [];
  private startUs: number | undefined;
  private lastUs = 0;
  private objects = 0;
  private fileBytes = headBytes;
  private plainBytes = headBytes;

  format({ kind, columns }: Records, from: number, to: number): Uint8Array {
    if (kind !== 'can') return new Uint8Array(0);
    if (this.startUs === undefined) this.begin(columns.timeUs(from));
    const channels = this.channels.of(columns);
    for (let i = from; i < to; i++) this.add(columns, i, channels[columns.bus[i]]);
    return this.take();
  }

  end(): Uint8Array {
    if (this.startUs === undefined) this.begin(0);
    this.flush();
    return this.take();
  }

  finalHead(): Uint8Array {
    return this.head(this.fileBytes);
  }

  private begin(firstTimeUs: number): void {
    this.startUs = Math.floor(firstTimeUs / 1000) * 1000;
    this.lastUs = this.startUs;
    this.parts.push(this.head(0));
  }

  private add(frames: CanFrames, index: number, channel: number): void {
    const id = frames.id[index];
    const flags = frames.flags[index];
    const start = frames.dataStart[index];
    const length = frames.dataStart[index + 1] - start;
    const number = (id & CAN_EFF_MASK) + (id & CAN_EFF_FLAG ? CAN_EFF_FLAG : 0);
    const bits = (flags & FRAME_TX ? 0x01 : 0) | (id & CAN_RTR_FLAG ? 0x80 : 0);
    const timeUs = frames.timeUs(index);
    if (id & CAN_ERR_FLAG) {
      const at = this.object(CAN_ERROR_EXT, 32, timeUs);
      this.container.writeUInt16LE(channel, at);
      this.container[at + 10] = length;
      this.container.writeUInt32LE(number, at + 16);
      this.copy(frames, start, Math.min(length, 8), at + 24);
    } else if (flags & FRAME_FD) {
      const at = this.object(CAN_FD_MESSAGE, 84, timeUs);
      this.container.writeUInt16LE(channel, at);
      this.container[at + 2] = bits;
      this.container[at + 3] = fdDlcByLength[length];
      this.container.writeUInt32LE(number, at + 4);
      this.container[at + 13] = 1 | (flags & FRAME_BRS ? 2 : 0) | (flags & FRAME_ESI ? 4 : 0);
      this.container[at + 14] = length;
      this.copy(frames, start, length, at + 20);
    } else {
      const at = this.object(CAN_MESSAGE, 16, timeUs);
      this.container.writeUInt16LE(channel, at);
      this.container[at + 2] = bits;
      this.container[at + 3] = frames.dlc[index];
      this.container.writeUInt32LE(number, at + 4);
      this.copy(frames, start, length, at + 8);
    }
  }

  /** Begins an object, zeros in its `bodyBytes`; returns where they are. */
  private object(type: number, bodyBytes: number, timeUs: number): number {
    const bytes = objectHeadBytes + bodyBytes;
    if (this.used + bytes > containerBytesMax) this.flush();
    const { container, used: at } = this;
    container.fill(0, at, at + bytes);
    objectHead(container, at, objectHeadBytes, bytes, type);
    container.writeUInt32LE(timesInNs, at + 16);
    const offsetNs = (timeUs - this.startUs!) * 1000;
    const high = Math.floor(offsetNs / 2 ** 32);
    container.writeUInt32LE(offsetNs - high * 2 ** 32, at + 24);
    container.writeUInt32LE(high, at + 28);
    this.used += bytes;
    this.objects++;
    this.lastUs = timeUs;
    return at + objectHeadBytes;
  }

  private copy(frames: CanFrames, start: number, length: number, at: number): void {
    for (let k = 0; k < length; k++) this.container[at + k] = frames.data[start + k];
  }

  private flush(): void {
    if (this.used === 0) return;
    const packed = deflateSync(this.container.subarray(0, this.used), { level: compressionLevel });
    const bytes = containerHeadBytes + packed.length;
    // The format's padding is the remainder itself, whatever it aligns to.
    const whole = Buffer.alloc(bytes + (bytes % 4));
    objectHead(whole, 0, 16, bytes, LOG_CONTAINER);
    whole.writeUInt16LE(zlibDeflate, 16);
    whole.writeUInt32LE(this.used, 24);
    whole.set(packed, containerHeadBytes);
    this.parts.push(whole);
    this.fileBytes += whole.length;
    this.plainBytes += containerHeadBytes + this.used;
    this.used = 0;
  }

  private take(): Uint8Array {
    const taken = this.parts.length === 1 ? this.parts[0] : Buffer.concat(this.parts);
    this.parts = [];
    return taken;
  }

  private head(fileBytes: number): Uint8Array {
    const head = Buffer.alloc(headBytes);
    head.write('LOGG', 'latin1');
    head.writeUInt32LE(headBytes, 4);
    head.set([5, 0, 0, 0, 2, 6, 8, 1], 8);
    head.writeBigUInt64LE(BigInt(fileBytes), 16);
    head.writeBigUInt64LE(BigInt(this.plainBytes), 24);
    head.writeUInt32LE(this.objects, 32);
    systemTime(head, 40, this.startUs!);
    systemTime(head, 56, this.lastUs);
    return head;
  }
}

function objectHead(into: Buffer, at: number, ownHeadBytes: number, bytes: number, type: number): void {
  into.write('LOBJ', at, 'latin1');
  into.writeUInt16LE(ownHeadBytes, at + 4);
  into.writeUInt16LE(1, at + 6);
  into.writeUInt32LE(bytes, at + 8);
  into.writeUInt32LE(type, at + 12);
}

/** Windows' SYSTEMTIME; zeros before its year 1601, which no reader understands anyway. */
function systemTime(into: Buffer, at: number, timeUs: number): void {
  const date = new Date(timeUs / 1000);
  const fields = [
    date.getUTCFullYear(),
    date.getUTCMonth() + 1,
    date.getUTCDay(),
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
    date.getUTCMilliseconds(),
  ];
  if (fields[0] < 1601) return;
  fields.forEach((field, i) => into.writeUInt16LE(field, at + 2 * i));
}

import { inflateSync } from 'node:zlib';
import {
  CAN_EFF_FLAG,
  CAN_EFF_MASK,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  FRAME_BRS,
  FRAME_ESI,
  FRAME_FD,
  FRAME_RX,
  FRAME_TX,
  fdDlcByLength,
} from '@fleetlog/shared/can';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { FrameBatch, RecordingOut } from './out.js';
import type { ReadOptions } from './reader.js';
import type { Recording } from './recording.js';

const objectHeadBytes = 16;
const containerHeadBytes = 32;
const containerBytesMax = 64 * 1024 * 1024;
const CAN_MESSAGE = 1;
const LOG_CONTAINER = 10;
const CAN_ERROR_EXT = 73;
const CAN_MESSAGE2 = 86;
const CAN_FD_MESSAGE = 100;
const CAN_FD_MESSAGE_64 = 101;

/** Vector's binary log: frames, CAN FD and error frames. Channel n is `can(n-1)`. Other objects are left out. */
export async function* readBlf(
  recording: Recording,
  out: RecordingOut,
  options: ReadOptions,
): AsyncGenerator<void> {
  const head = await recording.read(0, 144);
  if (head.length < 72 || head.toString('latin1', 0, 4) !== 'LOGG') {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `${recording.path} isn't a BLF file: it doesn't begin with LOGG.`,
    );
  }
  const objects = new ObjectReader(out, systemTimeUs(head, 40) - options.zoneUs);
  let rest: Buffer = Buffer.alloc(0);
  for (let at = head.readUInt32LE(4); at + objectHeadBytes <= recording.size;) {
    const objectHead = await recording.read(at, containerHeadBytes);
    const bytes = objectHead.readUInt32LE(8);
    if (objectHead.toString('latin1', 0, 4) !== 'LOBJ' || bytes < objectHeadBytes) {
      out.problem(`byte ${at}`, 'no object begins here; what is behind it is lost');
      return;
    }
    if (bytes > containerBytesMax || at + bytes > recording.size) {
      out.problem(`byte ${at}`, 'the file ends in the middle of this object');
      return;
    }
    const whole = await recording.read(at, bytes);
    if (objectHead.readUInt32LE(12) === LOG_CONTAINER) {
      const plain = contentOf(whole);
      if (plain) rest = objects.take(rest.length > 0 ? Buffer.concat([rest, plain]) : plain);
      else out.problem(`byte ${at}`, "this container doesn't unpack");
    } else {
      objects.take(whole);
    }
    at += bytes + (bytes % 4);
    yield;
  }
  if (rest.length >= objectHeadBytes) out.problem(`byte ${recording.size}`, 'the last object is cut off');
}

/** Undefined where the container is damaged, or compressed in a way that nobody uses. */
function contentOf(container: Buffer): Buffer | undefined {
  const packed = container.subarray(containerHeadBytes);
  const method = container.readUInt16LE(16);
  if (method === 0) return packed;
  if (method !== 2) return undefined;
  try {
    return inflateSync(packed, { maxOutputLength: containerBytesMax });
  } catch {
    return undefined;
  }
}

class ObjectReader {
  private readonly batch: FrameBatch;
  private readonly padded = new Uint8Array(64);

  constructor(
    private readonly out: RecordingOut,
    private readonly startUs: number,
  ) {
    this.batch = out.framesOf();
  }

  /** Takes the objects in `bytes`; returns what is left of one that goes on in the next container. */
  take(bytes: Buffer): Buffer {
    let at = 0;
    for (;;) {
      const found = bytes.indexOf('LOBJ', at, 'latin1');
      if (found < 0) return bytes.subarray(Math.max(at, bytes.length - 3));
      if (found + objectHeadBytes > bytes.length) return bytes.subarray(found);
      const length = Math.max(objectHeadBytes, bytes.readUInt32LE(found + 8));
      if (found + length > bytes.length) return bytes.subarray(found);
      this.object(bytes.subarray(found, found + length));
      at = found + length;
    }
  }

  private object(object: Buffer): void {
    const type = object.readUInt32LE(12);
    const at = object.readUInt16LE(4);
    const leastBytes = leastBodyBytes[type];
    if (leastBytes === undefined || object.length < 32) return;
    if (at < 32 || object.length < at + leastBytes) {
      this.out.problem(`frame ${this.out.frames}`, `the object behind it (type ${type}) is too short`);
      return;
    }
    const ticks = object.readUInt32LE(24) + object.readUInt32LE(28) * 2 ** 32;
    const timeUs = this.startUs + Math.round(object.readUInt32LE(16) === 1 ? ticks * 10 : ticks / 1000);
    const body = object.subarray(at);
    if (type === CAN_ERROR_EXT) this.errorFrame(timeUs, body);
    else if (type === CAN_FD_MESSAGE) this.fdFrame(timeUs, body);
    else if (type === CAN_FD_MESSAGE_64) this.fdFrame64(timeUs, body);
    else this.frame(timeUs, body);
  }

  private frame(timeUs: number, body: Buffer): void {
    const flags = body[2];
    const dlc = body[3];
    const isRemote = (flags & 0x80) !== 0;
    const length = isRemote ? 0 : Math.min(dlc, 8, body.length - 8);
    const id = identifierOf(body.readUInt32LE(4)) + (isRemote ? CAN_RTR_FLAG : 0);
    this.add(timeUs, id, flags & 1 ? FRAME_TX : FRAME_RX, dlc, body.readUInt16LE(0), body, 8, length);
  }

  private errorFrame(timeUs: number, body: Buffer): void {
    const length = Math.min(body[10], 8);
    const id = CAN_ERR_FLAG + (body.readUInt32LE(16) & CAN_EFF_MASK);
    this.add(timeUs, id, 0, length, body.readUInt16LE(0), body, 24, length);
  }

  private fdFrame(timeUs: number, body: Buffer): void {
    const bits = body[13];
    const id = identifierOf(body.readUInt32LE(4));
    const direction = body[2] & 1 ? FRAME_TX : FRAME_RX;
    const more = (bits & 2 ? FRAME_BRS : 0) | (bits & 4 ? FRAME_ESI : 0);
    this.modern(timeUs, id, {
      channel: body.readUInt16LE(0),
      flags: (bits & 1 ? FRAME_FD | more : 0) | direction,
      isRemote: (body[2] & 0x80) !== 0,
      dlc: body[3],
      length: body[14],
      data: body.subarray(20),
    });
  }

  private fdFrame64(timeUs: number, body: Buffer): void {
    const bits = body.readUInt32LE(12);
    const more = (bits & 0x2000 ? FRAME_BRS : 0) | (bits & 0x4000 ? FRAME_ESI : 0);
    this.modern(timeUs, identifierOf(body.readUInt32LE(4)), {
      channel: body[0],
      flags: (bits & 0x1000 ? FRAME_FD | more : 0) | (body[34] ? FRAME_TX : FRAME_RX),
      isRemote: (bits & 0x10) !== 0,
      dlc: body[1],
      length: body[2],
      data: body.subarray(40),
    });
  }

  /** Data that the file leaves out at the end are zeros. */
  private modern(
    timeUs: number,
    id: number,
    frame: { channel: number; flags: number; isRemote: boolean; dlc: number; length: number; data: Buffer },
  ): void {
    const { channel, flags, isRemote, dlc, data } = frame;
    const isFd = (flags & FRAME_FD) !== 0;
    const length = isRemote ? 0 : Math.min(frame.length, isFd ? 64 : Math.min(dlc, 8));
    this.padded.fill(0);
    this.padded.set(data.subarray(0, length));
    const code = isFd ? fdDlcByLength[length] : dlc;
    this.add(timeUs, id + (isRemote ? CAN_RTR_FLAG : 0), flags, code, channel, this.padded, 0, length);
  }

  private add(
    timeUs: number,
    id: number,
    flags: number,
    dlc: number,
    channel: number,
    data: Uint8Array,
    start: number,
    length: number,
  ): void {
    this.batch.add(timeUs, id >>> 0, flags, dlc, `can${Math.max(0, channel - 1)}`, data, start, length);
  }
}

/** Bytes that an object's body has at least, by type. */
const leastBodyBytes: Readonly<Record<number, number>> = {
  [CAN_MESSAGE]: 8,
  [CAN_MESSAGE2]: 8,
  [CAN_ERROR_EXT]: 32,
  [CAN_FD_MESSAGE]: 20,
  [CAN_FD_MESSAGE_64]: 40,
};

const identifierOf = (field: number): number =>
  (field & CAN_EFF_MASK) + (field & 0x8000_0000 ? CAN_EFF_FLAG : 0);

/** Windows' SYSTEMTIME as if in UTC, µs. */
function systemTimeUs(head: Buffer, at: number): number {
  const field = (k: number): number => head.readUInt16LE(at + 2 * k);
  if (field(0) < 1601) return 0;
  return Date.UTC(field(0), field(1) - 1, field(3), field(4), field(5), field(6), field(7)) * 1000;
}

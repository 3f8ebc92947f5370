import { TIME_OFFSET_LIMIT_US } from './times.js';

/** Types of a channel's values; the place in this list is the type's number in the format. */
export const channelTypes = ['i8', 'u8', 'i16', 'u16', 'i32', 'u32', 'i64', 'u64', 'f32', 'f64'] as const;
export type ChannelType = (typeof channelTypes)[number];

export interface ChannelSpec {
  /** Unique in its stream, 1 to 128 bytes of UTF-8. */
  name: string;
  /** As people write it (`m/s²`); empty where there is none; up to 32 bytes of UTF-8. */
  unit: string;
  type: ChannelType;
  /** What people read is `value * scale + offset`; columns hold what the sensor said. Absent: 1 and 0. */
  scale?: number;
  offset?: number;
}

/** A channel's value as people read it. */
export const scaled = ({ scale = 1, offset = 0 }: ChannelSpec, value: number): number =>
  value * scale + offset;

/** Values of one channel. 64-bit integers are bigints, since a double holds only 53 bits. */
export type Column =
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

const arrayOf = {
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
  f32: Float32Array,
  f64: Float64Array,
} as const satisfies Record<ChannelType, unknown>;

/** Bytes of one value. */
export const bytesPerValue = (type: ChannelType): number => arrayOf[type].BYTES_PER_ELEMENT;

/**
 * Numeric channels on one clock as columns: a record is one value of each channel at one time.
 *
 * One object is filled and cleared over and over. Fields are public because the hot loops read and write the arrays
 * directly.
 */
export class Samples {
  /** Records held. */
  count = 0;
  /** µs since the Unix epoch; time of record i is `baseTimeUs + timeOffsetUs[i]`. */
  baseTimeUs = 0;
  timeOffsetUs: Int32Array;
  /** By channel, in the order of `channels`; longer than `count` allows for growth. */
  columns: Column[];

  constructor(
    readonly channels: readonly ChannelSpec[],
    capacity = 1024,
  ) {
    this.timeOffsetUs = new Int32Array(capacity);
    this.columns = channels.map(({ type }) => new arrayOf[type](capacity));
  }

  timeUs(index: number): number {
    return this.baseTimeUs + this.timeOffsetUs[index];
  }

  clear(): void {
    this.count = 0;
    this.baseTimeUs = 0;
  }

  /** Makes room for `records` in all (not in addition); keeps what is held, bit for bit. */
  reserve(records: number): void {
    if (records <= this.timeOffsetUs.length) return;
    const size = Math.max(records, 2 * this.timeOffsetUs.length);
    const times = new Int32Array(size);
    times.set(this.timeOffsetUs);
    this.timeOffsetUs = times;
    this.columns = this.columns.map((column, i) => {
      const larger = new arrayOf[this.channels[i].type](size);
      bytesOf(larger).set(bytesOf(column));
      return larger;
    });
  }

  /** False where the time is too far from `baseTimeUs` for this batch: the caller seals it and starts another. */
  takes(timeUs: number): boolean {
    return this.count === 0 || Math.abs(timeUs - this.baseTimeUs) <= TIME_OFFSET_LIMIT_US;
  }

  /**
   * Appends a record and returns its index, at which the caller sets each column's value; the caller has checked
   * `takes(timeUs)`. The first record sets `baseTimeUs`.
   */
  append(timeUs: number): number {
    const at = this.count;
    if (at + 1 > this.timeOffsetUs.length) this.reserve(at + 1);
    if (at === 0) this.baseTimeUs = timeUs;
    this.timeOffsetUs[at] = timeUs - this.baseTimeUs;
    this.count = at + 1;
    return at;
  }
}

/** The bytes below a column: copying values could change the bits of a NaN. */
export const bytesOf = (column: ArrayBufferView): Uint8Array =>
  new Uint8Array(column.buffer, column.byteOffset, column.byteLength);

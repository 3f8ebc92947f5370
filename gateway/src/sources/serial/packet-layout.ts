import { Samples, type ChannelSpec, type ChannelType, type Column } from '@fleetlog/shared/batch';

export const fieldTypes = [
  'i8',
  'u8',
  'i16',
  'u16',
  'i24',
  'u24',
  'i32',
  'u32',
  'i64',
  'u64',
  'f32',
  'f64',
] as const;
export type FieldType = (typeof fieldTypes)[number];

/** A field of a packet, or bytes between fields. */
export type PacketField =
  | { skip: number }
  | {
      name: string;
      type: FieldType;
      unit: string;
      /** What people read is `raw * scale + offset`; what is stored is raw. */
      scale: number | undefined;
      offset: number | undefined;
      bigEndian: boolean;
    };

/** Field types that no array has are stored as the next larger. */
const channelTypeOf = { i24: 'i32', u24: 'u32' } as const;
const bytesOf: Record<FieldType, number> = {
  i8: 1,
  u8: 1,
  i16: 2,
  u16: 2,
  i24: 3,
  u24: 3,
  i32: 4,
  u32: 4,
  i64: 8,
  u64: 8,
  f32: 4,
  f64: 8,
};

type Store = (view: DataView, at: number, column: Column, index: number) => void;

/** Where the numbers of a packet are: turns each into a record of a `samples` stream. */
export class PacketLayout {
  readonly channels: ChannelSpec[] = [];
  /** Bytes that a packet has at least; more are passed over. */
  readonly bytes: number;
  private readonly places: number[] = [];
  private readonly stores: Store[] = [];
  private readonly scratch: Samples;

  constructor(fields: readonly PacketField[]) {
    let at = 0;
    for (const field of fields) {
      if ('skip' in field) {
        at += field.skip;
        continue;
      }
      const { name, type, unit, scale, offset, bigEndian } = field;
      const channelType: ChannelType = type === 'i24' || type === 'u24' ? channelTypeOf[type] : type;
      this.channels.push({
        name,
        unit,
        type: channelType,
        ...(scale !== undefined && { scale }),
        ...(offset !== undefined && { offset }),
      });
      this.places.push(at);
      this.stores.push(storeOf(type, !bigEndian));
      at += bytesOf[type];
    }
    this.bytes = at;
    this.scratch = new Samples(this.channels, 1);
  }

  /** Sets the values of record `index` from the packet that begins at `start`. */
  store(view: DataView, start: number, samples: Samples, index: number): void {
    const { places, stores } = this;
    for (let i = 0; i < stores.length; i++) stores[i](view, start + places[i], samples.columns[i], index);
  }

  /** Raw value of one channel of the packet that begins at `start`. */
  read(channel: number, view: DataView, start: number): number {
    const { scratch } = this;
    this.stores[channel](view, start + this.places[channel], scratch.columns[channel], 0);
    return Number(scratch.columns[channel][0]);
  }
}

function storeOf(type: FieldType, little: boolean): Store {
  switch (type) {
    case 'i8':
      return (view, at, column, index) => void (column[index] = view.getInt8(at));
    case 'u8':
      return (view, at, column, index) => void (column[index] = view.getUint8(at));
    case 'i16':
      return (view, at, column, index) => void (column[index] = view.getInt16(at, little));
    case 'u16':
      return (view, at, column, index) => void (column[index] = view.getUint16(at, little));
    case 'i24':
      return (view, at, column, index) => void (column[index] = (read24(view, at, little) << 8) >> 8);
    case 'u24':
      return (view, at, column, index) => void (column[index] = read24(view, at, little));
    case 'i32':
      return (view, at, column, index) => void (column[index] = view.getInt32(at, little));
    case 'u32':
      return (view, at, column, index) => void (column[index] = view.getUint32(at, little));
    case 'i64':
      return (view, at, column, index) => void (column[index] = view.getBigInt64(at, little));
    case 'u64':
      return (view, at, column, index) => void (column[index] = view.getBigUint64(at, little));
    case 'f32':
      return (view, at, column, index) => void (column[index] = view.getFloat32(at, little));
    case 'f64':
      return (view, at, column, index) => void (column[index] = view.getFloat64(at, little));
  }
}

function read24(view: DataView, at: number, little: boolean): number {
  return little
    ? view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
    : (view.getUint16(at) << 8) | view.getUint8(at + 2);
}

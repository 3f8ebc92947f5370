import { Type, type Static } from '@fleetlog/shared/schema';
import { FleetlogError } from '@fleetlog/shared/errors';
import { checksumNames, checksumOf, type Checksum, type ChecksumName } from './checksum.js';
import type { Framing } from './framing.js';
import { fieldTypes, type FieldType, type PacketField } from './packet-layout.js';
import { choice } from '../choice.js';

const closed = { additionalProperties: false };
const framings = ['cobs', 'slip', 'fixed', 'delimiter', 'length-prefixed'] as const;
const byteOrders = ['little', 'big'] as const;
const timeUnits = { ns: 0.001, us: 1, ms: 1000, s: 1_000_000 } as const;
const hex = {
  pattern: '^[0-9a-fA-F]{2}( ?[0-9a-fA-F]{2})*$',
  unit: 'list of bytes in hexadecimal, such as "b5 62"',
};
const PACKET_BYTES_MAX = 65_536;
const integer = (minimum: number, maximum: number, description: string): ReturnType<typeof Type.Integer> =>
  Type.Integer({ minimum, maximum, description });

const FieldConfig = Type.Object(
  {
    name: Type.Optional(Type.String({ minLength: 1, description: 'Of the channel' })),
    type: Type.Optional(choice(fieldTypes, 'Of the number')),
    unit: Type.Optional(Type.String({ description: 'As people write it: m/s²' })),
    scale: Type.Optional(Type.Number({ description: 'What people read is raw * scale + offset; default 1' })),
    offset: Type.Optional(Type.Number({ description: 'Default 0' })),
    byteOrder: Type.Optional(choice(byteOrders, 'Default: that of the packet')),
    skip: Type.Optional(integer(1, PACKET_BYTES_MAX, 'Instead of all others: bytes that mean nothing')),
  },
  closed,
);

/** How the packets of a sensor look. */
export const PacketConfig = Type.Object(
  {
    framing: choice(framings, 'How packets are told apart'),
    delimiter: Type.Optional(
      Type.String({ ...hex, description: 'delimiter: what ends a packet; default 0a' }),
    ),
    sync: Type.Optional(Type.String({ ...hex, description: 'fixed, length-prefixed: what begins a packet' })),
    length: Type.Optional(integer(1, PACKET_BYTES_MAX, 'fixed: bytes of a packet, all included')),
    lengthAt: Type.Optional(integer(0, 255, 'length-prefixed: place of the length; default behind sync')),
    lengthBytes: Type.Optional(integer(1, 2, 'length-prefixed: default 1')),
    lengthAdds: Type.Optional(
      integer(0, 255, 'length-prefixed: what the whole packet has more than the length says; default 0'),
    ),
    byteOrder: Type.Optional(choice(byteOrders, 'Of length, checksum and fields; default little')),
    maxBytes: Type.Optional(integer(1, PACKET_BYTES_MAX, 'Longer packets are noise; default 1024')),
    checksum: Type.Optional(choice(checksumNames, 'At the end of each packet; default none')),
    checksumFrom: Type.Optional(integer(0, 255, 'First byte that the checksum counts; default 0')),
    checksumByteOrder: Type.Optional(choice(byteOrders, 'Default: that of the packet')),
    fieldsFrom: Type.Optional(
      integer(0, PACKET_BYTES_MAX, 'First byte of the fields; default behind sync and length'),
    ),
    fields: Type.Array(FieldConfig, { minItems: 1, description: 'The numbers of a packet, in their order' }),
    time: Type.Optional(Type.String({ description: "Field that counts the sensor's time" })),
    timeUnit: Type.Optional(
      choice(Object.keys(timeUnits) as (keyof typeof timeUnits)[], 'Of that field; default us'),
    ),
    discards: Type.Optional(
      Type.Boolean({ description: 'Keep what is no packet as stream NAME-discards; default false' }),
    ),
  },
  closed,
);
export type PacketConfig = Static<typeof PacketConfig>;

/** What a packet looks like, checked. */
export interface PacketFormat {
  framing: Framing;
  packetBytesMax: number;
  checksum: { sum: Checksum; from: number; bigEndian: boolean } | undefined;
  fieldsFrom: number;
  fields: PacketField[];
  /** The sensor's counter: which channel, what it counts, and how many ticks until it starts again. */
  time: { channel: number; tickUs: number; wrap: number } | undefined;
  keepsDiscards: boolean;
}

const wraps: Partial<Record<FieldType, number>> = {
  u8: 2 ** 8,
  u16: 2 ** 16,
  u24: 2 ** 24,
  u32: 2 ** 32,
  u64: 2 ** 53,
};

/** `key` names the place in the configuration. Errors: FLEETLOG_CONFIG. */
export function packetFormat(config: PacketConfig, key: string): PacketFormat {
  const refused = (name: string, why: string): FleetlogError =>
    new FleetlogError('FLEETLOG_CONFIG', `"${key}.${name}" ${why}.`);
  const bigEndian = config.byteOrder === 'big';
  const framing = framingOf(config, bigEndian, refused);
  const isSelfMarked = framing.type === 'fixed' || framing.type === 'length-prefixed';
  if (isSelfMarked && framing.sync.length === 0 && config.checksum === undefined) {
    throw refused(
      'sync',
      `is needed by "framing: ${framing.type}" without a checksum: nothing tells where a packet begins`,
    );
  }
  const fields = config.fields.map((field, i) =>
    fieldOf(field, bigEndian, (name, why) => refused(`fields[${i}].${name}`, why)),
  );
  config.fields.forEach(({ name }, i) => {
    const isTaken = name !== undefined && config.fields.findIndex((other) => other.name === name) < i;
    if (isTaken) throw refused(`fields[${i}].name`, 'is that of another field');
  });
  const head = headBytes(framing);
  return {
    framing,
    packetBytesMax: framing.type === 'fixed' ? framing.length : (config.maxBytes ?? 1024),
    checksum: config.checksum && {
      sum: checksumOf(config.checksum as ChecksumName),
      from: config.checksumFrom ?? 0,
      bigEndian: (config.checksumByteOrder ?? config.byteOrder) === 'big',
    },
    fieldsFrom: config.fieldsFrom ?? head,
    fields,
    time: timeOf(config, fields, refused),
    keepsDiscards: config.discards ?? false,
  };
}

type Refused = (name: string, why: string) => FleetlogError;

function framingOf(config: PacketConfig, bigEndian: boolean, refused: Refused): Framing {
  const sync = bytesOf(config.sync);
  switch (config.framing) {
    case 'cobs':
    case 'slip':
      return { type: config.framing };
    case 'delimiter':
      return { type: 'delimiter', delimiter: bytesOf(config.delimiter ?? '0a') };
    case 'fixed':
      if (config.length === undefined) throw refused('length', 'is missing: "framing: fixed" needs it');
      return { type: 'fixed', sync, length: config.length };
    default:
      return {
        type: 'length-prefixed',
        sync,
        lengthAt: config.lengthAt ?? sync.length,
        lengthBytes: config.lengthBytes === 2 ? 2 : 1,
        lengthAdds: config.lengthAdds ?? 0,
        bigEndian,
      };
  }
}

function headBytes(framing: Framing): number {
  if (framing.type === 'fixed') return framing.sync.length;
  return framing.type === 'length-prefixed'
    ? Math.max(framing.sync.length, framing.lengthAt + framing.lengthBytes)
    : 0;
}

function fieldOf(field: Static<typeof FieldConfig>, bigEndian: boolean, refused: Refused): PacketField {
  const { skip, name, type, unit = '', scale, offset, byteOrder } = field;
  if (skip !== undefined) {
    if (Object.keys(field).length > 1) throw refused('skip', 'goes with no other key');
    return { skip };
  }
  if (name === undefined) throw refused('name', 'is missing');
  if (type === undefined) throw refused('type', `is missing: one of ${fieldTypes.join(', ')}`);
  return { name, type, unit, scale, offset, bigEndian: byteOrder ? byteOrder === 'big' : bigEndian };
}

function timeOf(config: PacketConfig, fields: PacketField[], refused: Refused): PacketFormat['time'] {
  if (config.time === undefined) return undefined;
  const named = fields.filter((field) => 'name' in field);
  const channel = named.findIndex(({ name }) => name === config.time);
  if (channel < 0)
    throw refused('time', `names no field; there are ${named.map(({ name }) => name).join(', ')}`);
  const wrap = wraps[named[channel].type];
  if (wrap === undefined) throw refused('time', `must be a field of type ${Object.keys(wraps).join(', ')}`);
  return { channel, tickUs: timeUnits[config.timeUnit ?? 'us'] * (named[channel].scale ?? 1), wrap };
}

const bytesOf = (text: string | undefined): Uint8Array =>
  new Uint8Array(Buffer.from((text ?? '').replaceAll(' ', ''), 'hex'));

import type { GrowingBytes } from './growing-bytes.js';
import { Mf4Blocks } from './mf4-blocks.js';

/** Kinds of records, by their identifiers in the data. */
export const record = { data: 1, fd: 2, remote: 3, error: 4 } as const;

/** Bytes of a record behind its identifier. */
export const recordBytes: Readonly<Record<number, number>> = {
  [record.data]: 15 + 8,
  [record.fd]: 15 + 64,
  [record.remote]: 15,
  [record.error]: 10,
};

/** How many records of each kind there are, and how many bytes they take; undefined while nobody knows. */
export type Totals = { counts: ReadonlyMap<number, number>; dataBytes: number } | undefined;

/** A value in a record: name, byte, bit, bits. */
type Field = readonly [name: string, byte: number, bit: number, bits: number];

/** Behind the time, 8 bytes. Names are those of ASAM's "MDF bus logging". */
const common: readonly Field[] = [
  ['ID', 8, 0, 29],
  ['IDE', 11, 7, 1],
  ['BusChannel', 12, 0, 8],
  ['Dir', 13, 0, 1],
  ['DLC', 13, 4, 4],
  ['DataLength', 14, 0, 8],
];
const ofData: readonly Field[] = [...common, ['EDL', 13, 1, 1], ['BRS', 13, 2, 1], ['ESI', 13, 3, 1]];
const ofError: readonly Field[] = [
  ['BusChannel', 8, 0, 8],
  ['ErrorType', 9, 0, 6],
];

const kinds = [
  { id: record.data, event: 'CAN_DataFrame', fields: ofData, dataAt: 15 },
  { id: record.fd, event: 'CAN_DataFrame', fields: ofData, dataAt: 15 },
  { id: record.remote, event: 'CAN_RemoteFrame', fields: common, dataAt: undefined },
  { id: record.error, event: 'CAN_ErrorFrame', fields: ofError, dataAt: undefined },
] as const;

/** ASAM MDF 4.1: data types, channel types, and flags. */
const unsigned = 0;
const float64 = 4;
const byteArray = 10;
const master = 2;
const timeSync = 1;
const ofBusEvent = 0x400;
const plainBusEvent = 0x6;
const canBus = 2;
const offsetsAreValid = 2;
const countsAndLengthAreUnset = 0x5;
const version = 411;
const headAt = 64;

/**
 * What an MF4 file of frames says before its records: one data group of four kinds, told apart by an identifier of one
 * byte, in one block. Without `totals` the file is marked as unfinished, as recorders leave it that lost power: readers
 * go on to its end.
 */
export function mf4Head(startUs: number, totals: Totals): Uint8Array {
  const blocks = new Mf4Blocks();
  const { bytes } = blocks;
  identification(bytes, totals !== undefined);
  const head = blocks.add('HD', [0, 0, 0, 0, 0, 0], (to) => {
    time(to, startUs);
    zeros(to, 3); // kind of clock, and no angle or distance
    to.double(0); // angle
    to.double(0); // distance
  });
  const comment = blocks.text(
    '<FHcomment><TX>exported</TX><tool_id>fleetlog</tool_id><tool_vendor>fleetlog</tool_vendor><tool_version>1</tool_version></FHcomment>',
    'MD',
  );
  blocks.setLink(head, 1, history(blocks, startUs, comment));
  const name = blocks.text('CAN');
  const source = blocks.add('SI', [name, name, 0], (to) => {
    to.u8(canBus);
    to.u8(canBus);
    zeros(to, 6);
  });
  let group = 0;
  for (const kind of kinds.toReversed()) {
    const first = channels(blocks, kind);
    group = blocks.add('CG', [group, first, name, source, 0, 0], (to) => {
      to.u64(kind.id);
      to.u64(totals?.counts.get(kind.id) ?? 0);
      to.u16(plainBusEvent);
      to.u16('.'.charCodeAt(0));
      to.u32(0);
      to.u32(recordBytes[kind.id]);
      to.u32(0);
    });
  }
  const groups = blocks.add('DG', [0, group, 0, 0], (to) => {
    to.u8(1); // byte of an identifier
    zeros(to, 7);
  });
  blocks.setLink(head, 0, groups);
  const data = blocks.add('DT', [], () => undefined);
  blocks.setLink(groups, 2, data);
  if (totals) bytes.setU64(data + 8, bytes.length - data + totals.dataBytes);
  return bytes.written;
}

function identification(to: GrowingBytes, isFinished: boolean): void {
  to.utf8(isFinished ? 'MDF     ' : 'UnFinMF ');
  to.utf8('4.11    fleetlog');
  to.u32(0);
  to.u16(version);
  zeros(to, 30);
  to.u16(isFinished ? 0 : countsAndLengthAreUnset);
  to.u16(0);
  if (to.length !== headAt) throw new Error('the identification is too long');
}

const history = (blocks: Mf4Blocks, timeUs: number, comment: number): number =>
  blocks.add('FH', [0, comment], (to) => {
    time(to, timeUs);
    zeros(to, 3);
  });

/** UTC. */
function time(to: GrowingBytes, timeUs: number): void {
  to.nanoseconds(timeUs);
  to.u16(0); // zone
  to.u16(0); // daylight saving
  to.u8(offsetsAreValid);
}

/** The time, and the frame with what it is made of. */
function channels(blocks: Mf4Blocks, { id, event, fields, dataAt }: (typeof kinds)[number]): number {
  const end = recordBytes[id];
  let part = 0;
  if (dataAt !== undefined)
    part = channel(blocks, part, `${event}.DataBytes`, [dataAt, 0, 8 * (end - dataAt)], byteArray);
  for (const [name, ...place] of fields.toReversed()) {
    part = channel(blocks, part, `${event}.${name}`, place, unsigned);
  }
  const frame = channel(blocks, 0, event, [8, 0, 8 * (end - 8)], byteArray, part);
  return channel(blocks, frame, 'Timestamp', [0, 0, 64], float64);
}

function channel(
  blocks: Mf4Blocks,
  next: number,
  name: string,
  [byte, bit, bits]: readonly [number, number, number],
  type: number,
  parts = 0,
): number {
  const isTime = type === float64;
  const unit = isTime ? blocks.text('s') : 0;
  const text = blocks.text(name);
  return blocks.add('CN', [next, parts, text, 0, 0, 0, unit, 0], (to) => {
    to.u8(isTime ? master : 0);
    to.u8(isTime ? timeSync : 0);
    to.u8(type);
    to.u8(bit);
    to.u32(byte);
    to.u32(bits);
    to.u32(isTime ? 0 : ofBusEvent);
    zeros(to, 8 + 48); // no invalidation, precision, attachments; no ranges
  });
}

function zeros(to: GrowingBytes, count: number): void {
  for (let i = 0; i < count; i++) to.u8(0);
}

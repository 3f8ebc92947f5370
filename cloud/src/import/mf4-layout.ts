import type { Block, Mf4Blocks } from './mf4-blocks.js';

/** Where a value is in a record. */
export interface Field {
  byte: number;
  bit: number;
  bits: number;
  isFloat: boolean;
  isBigEndian: boolean;
  /** Physical value = raw × factor + offset. */
  factor: number;
  offset: number;
  /** The bytes themselves are elsewhere, here is their place only. */
  isVariable: boolean;
  /** Where that is: a block of data, or the group of records that holds them. */
  dataLink: number;
}

/** A kind of record. */
export interface Group {
  /** Address of its block. */
  at: number;
  recordId: number;
  /** Bytes of a record, its identifier aside. */
  recordBytes: number;
  /** The records are a length (32 bits) and so many bytes. */
  isVariable: boolean;
  /** `CAN_DataFrame`, `CAN_ErrorFrame`, `LIN_Frame`; empty where it has no such structure. */
  event: string;
  /** By name behind that: `ID`, `DataBytes`; and `Timestamp`. */
  fields: ReadonlyMap<string, Field>;
}

/** Groups of records that share a run of data. */
export interface DataGroup {
  /** Bytes of the identifier before each record; 0 where there is one group only. */
  recordIdBytes: number;
  dataLink: number;
  groups: readonly Group[];
}

const variableLength = 1;
const masterChannel = 2;
const linearConversion = 1;
const float64 = 4;
const floatBigEndian = 5;
const unsignedBigEndian = 1;

export async function* dataGroups(blocks: Mf4Blocks, first: number): AsyncGenerator<DataGroup> {
  for await (const { block } of blocks.chain(first)) {
    const groups: Group[] = [];
    for await (const { at, block: group } of blocks.chain(block.links[1] ?? 0)) {
      groups.push(await groupOf(blocks, at, group));
    }
    const [recordIdBytes] = await blocks.data(block);
    yield { recordIdBytes, dataLink: block.links[2] ?? 0, groups };
  }
}

async function groupOf(blocks: Mf4Blocks, at: number, block: Block): Promise<Group> {
  const data = await blocks.data(block);
  const fields = new Map<string, Field>();
  let event = '';
  for await (const { block: channel } of blocks.chain(block.links[1] ?? 0)) {
    const name = await blocks.text(channel.links[2] ?? 0);
    const [type] = await blocks.data(channel);
    if (type === masterChannel) fields.set('Timestamp', await fieldOf(blocks, channel));
    const children = channel.links[1] ?? 0;
    if (children === 0) continue;
    event = name;
    for await (const { block: child } of blocks.chain(children)) {
      const full = await blocks.text(child.links[2] ?? 0);
      fields.set(full.slice(full.lastIndexOf('.') + 1), await fieldOf(blocks, child));
    }
  }
  return {
    at,
    recordId: Number(data.readBigUInt64LE(0)),
    recordBytes: data.readUInt32LE(24) + data.readUInt32LE(28),
    isVariable: (data.readUInt16LE(16) & 1) !== 0,
    event,
    fields,
  };
}

async function fieldOf(blocks: Mf4Blocks, channel: Block): Promise<Field> {
  const data = await blocks.data(channel);
  const [type, , dataType, bit] = data;
  const conversion = await conversionOf(blocks, channel.links[4] ?? 0);
  return {
    byte: data.readUInt32LE(4),
    bit,
    bits: data.readUInt32LE(8),
    isFloat: dataType === float64 || dataType === floatBigEndian,
    isBigEndian: dataType === unsignedBigEndian || dataType === floatBigEndian,
    ...conversion,
    isVariable: type === variableLength,
    dataLink: channel.links[5] ?? 0,
  };
}

async function conversionOf(blocks: Mf4Blocks, at: number): Promise<{ factor: number; offset: number }> {
  if (at === 0) return { factor: 1, offset: 0 };
  const data = await blocks.data(await blocks.block(at));
  if (data[0] !== linearConversion || data.length < 40) return { factor: 1, offset: 0 };
  return { offset: data.readDoubleLE(24), factor: data.readDoubleLE(32) };
}

/** The raw value of a field of at most 32 bits, or of 64 as the nearest double. */
export function rawValue({ byte, bit, bits, isFloat, isBigEndian }: Field, record: Buffer): number {
  if (isFloat && bits === 64) return isBigEndian ? record.readDoubleBE(byte) : record.readDoubleLE(byte);
  if (isFloat) return isBigEndian ? record.readFloatBE(byte) : record.readFloatLE(byte);
  const bytes = Math.ceil((bit + bits) / 8);
  let value = 0;
  for (let k = 0; k < bytes; k++) value = value * 256 + record[isBigEndian ? byte + k : byte + bytes - 1 - k];
  return Math.floor(value / 2 ** bit) % 2 ** bits;
}

import {
  CAN_EFF_FLAG,
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
import { Mf4Blocks } from './mf4-blocks.js';
import { dataGroups, rawValue, type DataGroup, type Group } from './mf4-layout.js';
import type { FrameBatch, RecordingOut } from './out.js';
import type { ReadOptions } from './reader.js';
import type { Recording } from './recording.js';

const sideBytesMax = 1024 * 1024 * 1024;
const errorDataBytes = 8;
const headAt = 64;

/**
 * MF4 (ASAM MDF 4) of bus loggers: CAN_DataFrame, CAN_RemoteFrame and CAN_ErrorFrame records, unsorted as a CANedge
 * leaves them, also when it lost power, or sorted. Bus channel n is `can(n-1)`. Other records (LIN, signals) are left
 * out. Errors: FLEETLOG_USAGE.
 */
export async function* readMf4(
  recording: Recording,
  out: RecordingOut,
  options: ReadOptions,
): AsyncGenerator<void> {
  const head = await recording.read(0, headAt);
  const isUnfinished = head.toString('latin1', 0, 7) === 'UnFinMF';
  const blocks = new Mf4Blocks(recording, isUnfinished);
  const main = await blocks.block(headAt);
  const times = await blocks.data(main);
  const isLocal = (times[12] & 1) !== 0;
  const startUs = Number(times.readBigUInt64LE(0) / 1000n) - (isLocal ? options.zoneUs : 0);
  const batch = out.framesOf();
  let buses = 0;
  for await (const group of dataGroups(blocks, main.links[0])) {
    if (!group.groups.some(({ event }) => event.startsWith('CAN_'))) continue;
    buses++;
    yield* readGroup(blocks, group, new FrameRecords(batch, startUs), out);
  }
  if (buses > 0) return;
  throw new FleetlogError(
    'FLEETLOG_USAGE',
    `${recording.path} holds no CAN frames (CAN_DataFrame records); signals that are decoded already aren't imported.`,
  );
}

async function* readGroup(
  blocks: Mf4Blocks,
  { recordIdBytes, dataLink, groups }: DataGroup,
  frames: FrameRecords,
  out: RecordingOut,
): AsyncGenerator<void> {
  const byId = new Map(groups.map((group) => [group.recordId, group]));
  const owners = new Map<number, Group>();
  for (const group of groups) {
    const bytes = group.fields.get('DataBytes');
    const side = groups.find(({ at }) => at === bytes?.dataLink);
    if (bytes?.isVariable && side) owners.set(side.recordId, group);
    else if (bytes?.isVariable) frames.side.set(group, await whole(blocks, bytes.dataLink));
  }
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  for await (const piece of blocks.content(dataLink)) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, piece]) : piece;
    let at = 0;
    for (;;) {
      if (at + recordIdBytes > bytes.length) break;
      const id = recordIdBytes === 0 ? groups[0].recordId : bytes.readUIntLE(at, Math.min(recordIdBytes, 6));
      const group = byId.get(id);
      if (!group) {
        out.problem(
          `byte ${offset + at} of the records`,
          `no record has the identifier ${id}; what is behind it is lost`,
        );
        return;
      }
      const begin = at + recordIdBytes;
      if (group.isVariable && begin + 4 > bytes.length) break;
      const start = group.isVariable ? begin + 4 : begin;
      const end = start + (group.isVariable ? bytes.readUInt32LE(begin) : group.recordBytes);
      if (end > bytes.length) break;
      const record = bytes.subarray(start, end);
      if (group.isVariable) frames.data(owners.get(id), record);
      else frames.record(group, record);
      at = end;
    }
    offset += at;
    rest = Buffer.from(bytes.subarray(at));
    if (rest.length > sideBytesMax) throw blocks.damaged(dataLink, 'a record is too long');
    yield;
  }
  if (rest.length > 0) out.problem(`byte ${offset} of the records`, 'the last record is cut off');
}

async function whole(blocks: Mf4Blocks, at: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of blocks.content(at)) {
    bytes += piece.length;
    if (bytes > sideBytesMax) throw blocks.damaged(at, `there are over ${sideBytesMax} bytes of data`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Makes frames of records; those whose data come in a record of their own wait for it. */
class FrameRecords {
  /** Data that are in a block of their own, by the group that they are of. */
  readonly side = new Map<Group, Buffer>();
  private readonly waiting = new Map<Group, Buffer[]>();
  private readonly noData = Buffer.alloc(errorDataBytes);

  constructor(
    private readonly batch: FrameBatch,
    private readonly startUs: number,
  ) {}

  record(group: Group, record: Buffer): void {
    if (!group.event.startsWith('CAN_')) return;
    const bytes = group.fields.get('DataBytes');
    if (!bytes) {
      this.frame(group, record, this.noData);
    } else if (!bytes.isVariable) {
      const length = Math.min(this.value(group, 'DataLength', record), bytes.bits / 8);
      this.frame(group, record, record.subarray(bytes.byte, bytes.byte + length));
    } else if (this.side.has(group)) {
      const side = this.side.get(group)!;
      const at = rawValue(bytes, record);
      const length = at + 4 <= side.length ? side.readUInt32LE(at) : 0;
      this.frame(group, record, side.subarray(at + 4, at + 4 + length));
    } else {
      const waiting = this.waiting.get(group);
      if (waiting) waiting.push(Buffer.from(record));
      else this.waiting.set(group, [Buffer.from(record)]);
    }
  }

  /** The data of the group's oldest record that waits. */
  data(group: Group | undefined, bytes: Buffer): void {
    const record = group && this.waiting.get(group)?.shift();
    if (record) this.frame(group, record, bytes);
  }

  private frame(group: Group, record: Buffer, bytes: Buffer): void {
    const time = group.fields.get('Timestamp');
    if (!time) return;
    const seconds = rawValue(time, record) * time.factor + time.offset;
    const timeUs = this.startUs + Math.round(seconds * 1e6);
    const bus = `can${Math.max(0, this.value(group, 'BusChannel', record) - 1)}`;
    if (group.event === 'CAN_ErrorFrame') {
      this.batch.add(timeUs, CAN_ERR_FLAG, 0, errorDataBytes, bus, this.noData, 0, errorDataBytes);
      return;
    }
    const is = (name: string): boolean => this.value(group, name, record) !== 0;
    const direction = group.fields.has('Dir') ? (is('Dir') ? FRAME_TX : FRAME_RX) : 0;
    const isRemote = group.event === 'CAN_RemoteFrame';
    const isFd = is('EDL');
    const bits = isFd ? FRAME_FD | (is('BRS') ? FRAME_BRS : 0) | (is('ESI') ? FRAME_ESI : 0) : 0;
    const length = isRemote ? 0 : Math.min(bytes.length, isFd ? 64 : 8);
    const dlc = isFd ? fdDlcByLength[length] : this.value(group, 'DLC', record);
    const id =
      this.value(group, 'ID', record) + (is('IDE') ? CAN_EFF_FLAG : 0) + (isRemote ? CAN_RTR_FLAG : 0);
    this.batch.add(timeUs, id >>> 0, bits | direction, dlc, bus, bytes, 0, length);
  }

  /** 0 where there is no such field. */
  private value(group: Group, name: string, record: Buffer): number {
    const field = group.fields.get(name);
    return field ? rawValue(field, record) : 0;
  }
}

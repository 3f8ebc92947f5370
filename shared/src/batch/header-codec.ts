import { FleetlogError } from '../errors/index.js';
import { overLimit } from './payload.js';
import { encodePlain, integer, wholeNumber } from './plain-cbor.js';
import {
  clockStates,
  FORMAT_VERSION,
  isGatewayId,
  isLifeId,
  isStreamName,
  limits,
  origins,
  streamKinds,
  type BatchHeader,
  type BatchIdentity,
  type CodecName,
  type StreamKind,
  type Thinned,
} from './types.js';

/* header = { int => value }      ; unknown keys are ignored; `format.md` says what each means */
const key = {
  version: 0,
  gateway: 1,
  epoch: 2,
  boot: 3,
  stream: 4,
  kind: 5,
  sequence: 6,
  lastSequence: 7,
  firstTime: 8,
  lastTime: 9,
  recordCount: 10,
  storeTime: 11,
  clock: 12,
  origin: 13,
  codec: 14,
  rawBytes: 15,
  thinned: 16,
} as const;

/** The kind that a codec's payloads are of; a gap record can stand for any. */
const kindOfCodec: ReadonlyMap<unknown, StreamKind | undefined> = new Map<CodecName, StreamKind | undefined>([
  ['can-1', 'can'],
  ['lines-1', 'lines'],
  ['samples-1', 'samples'],
  ['events-1', 'events'],
  ['gap-1', undefined],
]);

/** Writes a header. Errors: FLEETLOG_BATCH_MALFORMED, _LIMIT for one that no reader would take. */
export function encodeHeader(header: BatchHeader): Uint8Array {
  checkHeader(header);
  const { clock } = header;
  const fields = new Map<number, unknown>([
    [key.version, FORMAT_VERSION],
    [key.gateway, header.gateway],
    [key.epoch, Buffer.from(header.epoch, 'hex')],
    [key.boot, Buffer.from(header.boot, 'hex')],
    [key.stream, header.stream],
    [key.kind, streamKinds.indexOf(header.kind)],
    [key.sequence, integer(header.sequence)],
    [key.firstTime, integer(header.firstTimeUs)],
    [key.lastTime, integer(header.lastTimeUs)],
    [key.recordCount, integer(header.recordCount)],
    [key.storeTime, integer(header.storeTimeUs)],
    [
      key.clock,
      [
        integer(clock.wallOffsetUs),
        clockStates.indexOf(clock.state),
        integer(clock.uncertaintyUs),
        ...(clock.stamped ? [true] : []),
      ],
    ],
    [key.origin, origins.indexOf(header.origin)],
    [key.codec, header.codec],
    [key.rawBytes, header.rawBytes],
  ]);
  if (header.lastSequence !== header.sequence) fields.set(key.lastSequence, integer(header.lastSequence));
  if (header.thinned) {
    const { keepEachNth, records, firstTimeUs, lastTimeUs } = header.thinned;
    fields.set(key.thinned, [keepEachNth, records, integer(firstTimeUs), integer(lastTimeUs)]);
  }
  return encodePlain(fields);
}

/**
 * Reads a header from its fields and checks it.
 * Errors: FLEETLOG_BATCH_MALFORMED, _VERSION, _CODEC, _LIMIT.
 */
export function readHeader(fields: ReadonlyMap<unknown, unknown>): BatchHeader {
  const version = fields.get(key.version);
  if (version !== FORMAT_VERSION) {
    throw new FleetlogError(
      'FLEETLOG_BATCH_VERSION',
      `The batch has format version ${printable(version)}; this software reads version ${FORMAT_VERSION}. Update it.`,
    );
  }
  const codec = fields.get(key.codec);
  if (typeof codec !== 'string') throw wrong('codec');
  if (!kindOfCodec.has(codec)) {
    throw new FleetlogError(
      'FLEETLOG_BATCH_CODEC',
      `The batch's codec ${printable(codec)} is unknown to this software. Update it.`,
    );
  }
  const clock = fields.get(key.clock);
  if (!Array.isArray(clock) || clock.length < 3) throw wrong('clock');
  const sequence = whole(fields.get(key.sequence), 'sequence');
  const header: BatchHeader = {
    gateway: fields.get(key.gateway) as string, // this and other texts are checked below
    epoch: hex(fields.get(key.epoch)),
    boot: hex(fields.get(key.boot)),
    stream: fields.get(key.stream) as string,
    kind: member(streamKinds, fields.get(key.kind), 'kind'),
    sequence,
    lastSequence: fields.has(key.lastSequence)
      ? whole(fields.get(key.lastSequence), 'last sequence')
      : sequence,
    firstTimeUs: whole(fields.get(key.firstTime), 'first time'),
    lastTimeUs: whole(fields.get(key.lastTime), 'last time'),
    recordCount: whole(fields.get(key.recordCount), 'record count'),
    storeTimeUs: whole(fields.get(key.storeTime), 'store time'),
    clock: {
      wallOffsetUs: whole(clock[0], 'clock'),
      state: member(clockStates, clock[1], 'clock'),
      uncertaintyUs: whole(clock[2], 'clock'),
      ...(clock[3] === true && { stamped: true }),
    },
    origin: member(origins, fields.get(key.origin), 'origin'),
    codec: codec as CodecName,
    rawBytes: whole(fields.get(key.rawBytes), 'raw length'),
    ...(fields.has(key.thinned) && { thinned: readThinned(fields.get(key.thinned)) }),
  };
  checkHeader(header);
  return header;
}

function readThinned(value: unknown): Thinned {
  if (!Array.isArray(value) || value.length < 4) throw wrong('note of what was taken out');
  const [keepEachNth, records, firstTimeUs, lastTimeUs] = value
    .slice(0, 4)
    .map((number) => whole(number, 'note of what was taken out'));
  return { keepEachNth, records, firstTimeUs, lastTimeUs };
}

/** Reads only what says which batch it is, whatever the version; undefined where that doesn't fit. */
export function readIdentity(fields: ReadonlyMap<unknown, unknown>): BatchIdentity | undefined {
  const gateway = fields.get(key.gateway);
  const epoch = hex(fields.get(key.epoch));
  const stream = fields.get(key.stream);
  const sequence = wholeNumber(fields.get(key.sequence)) ?? -1;
  if (!isGatewayId(gateway) || !isLifeId(epoch) || !isStreamName(stream) || sequence < 0) return undefined;
  return { gateway, epoch, stream, sequence };
}

/** What writer and reader both ask of a header. */
function checkHeader(header: BatchHeader): void {
  const isGap = header.codec === 'gap-1';
  if (!isGatewayId(header.gateway)) throw wrong('gateway');
  if (!isLifeId(header.epoch)) throw wrong('epoch');
  if (!isLifeId(header.boot)) throw wrong('boot');
  if (!isStreamName(header.stream)) throw wrong('stream');
  if (header.kind !== (kindOfCodec.get(header.codec) ?? header.kind)) throw wrong('kind for its codec');
  if (!isSafe(header.sequence) || header.sequence < 0) throw wrong('sequence');
  if (!isSafe(header.lastSequence) || header.lastSequence < header.sequence) throw wrong('last sequence');
  if (!isGap && header.lastSequence !== header.sequence) throw wrong('last sequence');
  if (!isSafe(header.firstTimeUs)) throw wrong('first time');
  if (!isSafe(header.lastTimeUs) || header.lastTimeUs < header.firstTimeUs) throw wrong('last time');
  if (!isSafe(header.recordCount) || header.recordCount < (isGap ? -1 : 0)) throw wrong('record count');
  if (!isSafe(header.storeTimeUs)) throw wrong('store time');
  if (!isSafe(header.clock.wallOffsetUs)) throw wrong('clock');
  if (!isSafe(header.clock.uncertaintyUs) || header.clock.uncertaintyUs < -1) throw wrong('clock');
  if (!isSafe(header.rawBytes) || header.rawBytes < 0) throw wrong('raw length');
  if (header.thinned && (isGap || !isPossible(header.thinned))) throw wrong('note of what was taken out');
  if (!isGap && header.recordCount > limits.recordsMax) throw overLimit(`${header.recordCount} records`);
  if (header.rawBytes > limits.rawBytesMax) throw overLimit(`${header.rawBytes} bytes decompressed`);
}

const isSafe = Number.isSafeInteger;

const isPossible = ({ keepEachNth, records, firstTimeUs, lastTimeUs }: Thinned): boolean =>
  isSafe(keepEachNth) &&
  keepEachNth >= 2 &&
  isSafe(records) &&
  records >= 1 &&
  records <= limits.recordsMax &&
  isSafe(firstTimeUs) &&
  isSafe(lastTimeUs) &&
  lastTimeUs >= firstTimeUs;

function whole(value: unknown, field: string): number {
  const number = wholeNumber(value);
  if (number === undefined) throw wrong(field);
  return number;
}

function member<T>(members: readonly T[], index: unknown, field: string): T {
  const value = typeof index === 'number' ? members[index] : undefined;
  if (value === undefined) throw wrong(field);
  return value;
}

/** Ids of lives travel as 8 bytes; anything else becomes a text that isn't one. */
const hex = (value: unknown): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString('hex') : '';

/** A number or text as it stands in an error message; hostile values of other types aren't shown. */
const printable = (value: unknown): string =>
  typeof value === 'number' || typeof value === 'string' ? JSON.stringify(value).slice(0, 40) : 'of no name';

const wrong = (field: string): FleetlogError =>
  new FleetlogError('FLEETLOG_BATCH_MALFORMED', `This isn't the header of a batch: wrong ${field}.`);

import { crc32 } from 'node:zlib';
import { Decoder, Encoder } from 'cbor-x';
import { FleetlogError } from '../errors/index.js';
import { checkCborShape } from './cbor-shape.js';
import {
  clockStates,
  FORMAT_VERSION,
  isGatewayId,
  isLifeId,
  isStreamName,
  limits,
  origins,
  streamKinds,
  type Batch,
  type BatchHeader,
  type CodecName,
} from './types.js';

/*
 * batch   = [ header, payload, checksum ]
 * header  = { int => value }               ; keys below; unknown keys are ignored
 * payload = bytes
 * checksum = 0x1a crc32                    ; always 5 bytes: CRC-32 (IEEE) of all bytes before it
 *
 * `format.md` says why.
 */
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
} as const;

const codecNames: ReadonlySet<string> = new Set<CodecName>([
  'can-1',
  'lines-1',
  'samples-1',
  'events-1',
  'gap-1',
]);

const encoder = new Encoder({
  useRecords: false,
  variableMapSize: true,
  tagUint8Array: false,
  useTag259ForMaps: false,
} as object);
const decoder = new Decoder({ useRecords: false, mapsAsObjects: true, copyBuffers: false } as object);

/** Writes a batch. The result is a buffer of its own. Errors: FLEETLOG_BATCH_LIMIT. */
export function encodeBatch(header: BatchHeader, payload: Uint8Array): Uint8Array {
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
        integer(header.clock.wallOffsetUs),
        clockStates.indexOf(header.clock.state),
        integer(header.clock.uncertaintyUs),
      ],
    ],
    [key.origin, origins.indexOf(header.origin)],
    [key.codec, header.codec],
    [key.rawBytes, header.rawBytes],
  ]);
  if (header.lastSequence !== header.sequence) fields.set(key.lastSequence, integer(header.lastSequence));
  const head = encoder.encode(fields);
  const prefix = byteStringHead(payload.length);
  const total = 1 + head.length + prefix.length + payload.length + 5;
  if (total > limits.batchBytesMax) {
    throw new FleetlogError(
      'FLEETLOG_BATCH_LIMIT',
      `A batch of ${total} bytes is over the limit of ${limits.batchBytesMax}; let the batcher seal earlier.`,
    );
  }
  const bytes = Buffer.allocUnsafeSlow(total);
  bytes[0] = 0x83;
  bytes.set(head, 1);
  bytes.set(prefix, 1 + head.length);
  bytes.set(payload, 1 + head.length + prefix.length);
  bytes[total - 5] = 0x1a;
  bytes.writeUInt32BE(crc32(bytes.subarray(0, total - 5)), total - 4);
  return bytes;
}

/** Integers above 2^32 go as CBOR integers, not floats. */
const integer = (value: number): number | bigint => (Math.abs(value) > 0xffff_ffff ? BigInt(value) : value);

function byteStringHead(length: number): Uint8Array {
  if (length < 24) return Uint8Array.of(0x40 | length);
  if (length < 0x100) return Uint8Array.of(0x58, length);
  if (length < 0x1_0000) return Uint8Array.of(0x59, length >> 8, length);
  return Uint8Array.of(0x5a, length >>> 24, length >> 16, length >> 8, length);
}

/**
 * Reads and checks a batch: size, checksum, shape, version, each field. Bounded time and memory for any input.
 * Errors: FLEETLOG_BATCH_MALFORMED, _CHECKSUM, _VERSION, _CODEC, _LIMIT.
 */
export function decodeBatch(bytes: Uint8Array): Batch {
  if (bytes.length > limits.batchBytesMax) {
    throw new FleetlogError('FLEETLOG_BATCH_LIMIT', `A batch of ${bytes.length} bytes is over the limit.`);
  }
  const end = bytes.length - 5;
  if (end < 4 || bytes[0] !== 0x83 || bytes[end] !== 0x1a) throw malformed('frame');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(end + 1) !== crc32(bytes.subarray(0, end))) {
    throw new FleetlogError('FLEETLOG_BATCH_CHECKSUM', "The batch's checksum doesn't fit its bytes.");
  }
  if (checkCborShape(bytes, { depthMax: 4, itemsMax: 256 }) !== bytes.length) throw malformed('shape');
  let items: unknown;
  try {
    items = decoder.decode(bytes);
  } catch (cause) {
    throw malformed('content', cause);
  }
  const [fields, payload] = items as [Record<number, unknown>, unknown];
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) throw malformed('header');
  if (!(payload instanceof Uint8Array)) throw malformed('payload');
  return { header: readHeader(fields), payload };
}

function readHeader(fields: Record<number, unknown>): BatchHeader {
  const version = fields[key.version];
  if (version !== FORMAT_VERSION) {
    throw new FleetlogError(
      'FLEETLOG_BATCH_VERSION',
      `The batch has format version ${printable(version)}; this software reads version ${FORMAT_VERSION}. Update it.`,
    );
  }
  const codec = fields[key.codec];
  if (typeof codec !== 'string') throw malformed('codec');
  if (!codecNames.has(codec)) {
    throw new FleetlogError(
      'FLEETLOG_BATCH_CODEC',
      `The batch's codec ${printable(codec)} is unknown to this software. Update it.`,
    );
  }
  const gateway = fields[key.gateway];
  if (!isGatewayId(gateway)) throw malformed('gateway');
  const stream = fields[key.stream];
  if (!isStreamName(stream)) throw malformed('stream');
  const clock = fields[key.clock];
  if (!Array.isArray(clock) || clock.length < 3) throw malformed('clock');
  const sequence = natural(fields[key.sequence], 'sequence');
  const lastSequence =
    fields[key.lastSequence] === undefined ? sequence : natural(fields[key.lastSequence], 'lastSequence');
  const isGap = codec === 'gap-1';
  if (lastSequence < sequence || (!isGap && lastSequence !== sequence)) throw malformed('lastSequence');
  const header: BatchHeader = {
    gateway,
    epoch: lifeId(fields[key.epoch], 'epoch'),
    boot: lifeId(fields[key.boot], 'boot'),
    stream,
    kind: member(streamKinds, fields[key.kind], 'kind'),
    sequence,
    lastSequence,
    firstTimeUs: whole(fields[key.firstTime], 'firstTime'),
    lastTimeUs: whole(fields[key.lastTime], 'lastTime'),
    recordCount: whole(fields[key.recordCount], 'recordCount'),
    storeTimeUs: whole(fields[key.storeTime], 'storeTime'),
    clock: {
      wallOffsetUs: whole(clock[0], 'clock'),
      state: member(clockStates, clock[1], 'clock'),
      uncertaintyUs: whole(clock[2], 'clock'),
    },
    origin: member(origins, fields[key.origin], 'origin'),
    codec: codec as CodecName,
    rawBytes: natural(fields[key.rawBytes], 'rawBytes'),
  };
  if (header.lastTimeUs < header.firstTimeUs) throw malformed('lastTime');
  if (header.recordCount < (isGap ? -1 : 0)) throw malformed('recordCount');
  if ((!isGap && header.recordCount > limits.recordsMax) || header.rawBytes > limits.rawBytesMax) {
    throw new FleetlogError(
      'FLEETLOG_BATCH_LIMIT',
      'The batch claims more records or bytes than the limits allow.',
    );
  }
  return header;
}

function whole(value: unknown, field: string): number {
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (!Number.isSafeInteger(number)) throw malformed(field);
  return number as number;
}

function natural(value: unknown, field: string): number {
  const number = whole(value, field);
  if (number < 0) throw malformed(field);
  return number;
}

function member<T>(members: readonly T[], index: unknown, field: string): T {
  const value = typeof index === 'number' && Number.isInteger(index) ? members[index] : undefined;
  if (value === undefined) throw malformed(field);
  return value;
}

function lifeId(value: unknown, field: string): string {
  const text =
    value instanceof Uint8Array && value.length === 8
      ? Buffer.from(value.buffer, value.byteOffset, 8).toString('hex')
      : undefined;
  if (!isLifeId(text)) throw malformed(field);
  return text;
}

const printable = (value: unknown): string =>
  JSON.stringify(typeof value === 'bigint' ? String(value) : (value ?? null))?.slice(0, 40) ?? 'nothing';

const malformed = (what: string, cause?: unknown): FleetlogError =>
  new FleetlogError('FLEETLOG_BATCH_MALFORMED', `These bytes aren't a batch: wrong ${what}.`, { cause });

import { decodePlain, encodePlain, integer, wholeNumber } from '../batch/plain-cbor.js';
import { isGatewayId, isLifeId, isStreamName } from '../batch/types.js';
import { FleetlogError } from '../errors/index.js';

/**
 * The MQTT contract between gateway and cloud.
 *
 *   fleetlog/v1/{gateway}/up/{stream}   batches, QoS 1
 *   fleetlog/v1/{gateway}/ack           what the log holds (`Ack`), QoS 0: a lost one costs nothing
 *   fleetlog/v1/{gateway}/status        what the gateway says of itself (`GatewayStatus`), retained
 */
const root = 'fleetlog/v1';

export const topics = {
  up: (gateway: string, stream: string) => `${root}/${gateway}/up/${stream}`,
  ack: (gateway: string) => `${root}/${gateway}/ack`,
  status: (gateway: string) => `${root}/${gateway}/status`,
  allUp: `${root}/+/up/+`,
  allStatus: `${root}/+/status`,
  /** Everything below a gateway's own prefix. */
  prefix: (gateway: string) => `${root}/${gateway}/`,
};

export type ParsedTopic =
  { type: 'up'; gateway: string; stream: string } | { type: 'ack' | 'status'; gateway: string };

/** Returns undefined for a topic that isn't of this contract. */
export function parseTopic(topic: string): ParsedTopic | undefined {
  const [product, version, gateway, type, stream, ...more] = topic.split('/');
  if (`${product}/${version}` !== root || !isGatewayId(gateway) || more.length > 0) return undefined;
  if (type === 'up' && isStreamName(stream)) return { type, gateway, stream };
  if ((type === 'ack' || type === 'status') && stream === undefined) return { type, gateway };
  return undefined;
}

/**
 * What the cloud's log holds of one epoch, durably. Cumulative: each message says all that matters, so a lost or
 * repeated one costs nothing. `held` is flat `[first0, last0, first1, last1, …]`, ascending; where there are more
 * than `ackRangesMax` ranges the lowest are sent.
 */
export interface Ack {
  epoch: string;
  streams: { [stream: string]: { held: number[]; refused?: RefusedBatch[] } };
}

/** A batch that the cloud will never take, with the reason; the gateway keeps it aside and says so. */
export interface RefusedBatch {
  sequence: number;
  code: string;
  reason: string;
}

export const ackRangesMax = 256;
/** Earlier epochs in a status. */
export const rescuingMax = 64;

/** Retained; the last will sets `connected` to false. */
export interface GatewayStatus {
  connected: boolean;
  epoch: string;
  version: string;
  timeUs: number;
  /** By stream: `first` sequence that is still in the buffer, `next` after the last durable one; bytes buffered; batches discarded because the cloud refused them. */
  streams: {
    [stream: string]: { kind: string; first: number; next: number; bytes: number; discarded: number };
  };
  /** Earlier epochs of which something is on its way yet: being rescued from a damaged buffer, or rescued and unsent. */
  rescuing?: string[];
}

/** Writes a message for its topic. */
export const encodeMessage = (message: Ack | GatewayStatus): Uint8Array => encodePlain(withIntegers(message));

/** Large whole numbers as CBOR integers, absent fields left out. */
function withIntegers(value: unknown): unknown {
  if (typeof value === 'number') return integer(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withIntegers);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return new Map(fields.map(([name, field]) => [name, withIntegers(field)]));
}

/** Reads and checks every field; unknown ones are ignored. Errors: FLEETLOG_MESSAGE_MALFORMED. */
export function decodeAck(bytes: Uint8Array): Ack {
  const ack = decodeMap(bytes, 'acknowledgement');
  const epoch = ack.get('epoch');
  if (!isLifeId(epoch)) throw malformed('acknowledgement');
  const streams: Ack['streams'] = {};
  for (const [stream, fields] of entriesByStream(ack, 'acknowledgement')) {
    const held = naturals(fields.get('held'));
    if (!held || !areRanges(held)) throw malformed('acknowledgement');
    streams[stream] = { held };
    const refused = fields.get('refused');
    if (refused === undefined) continue;
    if (!Array.isArray(refused)) throw malformed('acknowledgement');
    streams[stream].refused = refused.map(readRefused);
  }
  return { epoch, streams };
}

function readRefused(fields: unknown): RefusedBatch {
  if (!(fields instanceof Map)) throw malformed('acknowledgement');
  const [sequence] = naturals([fields.get('sequence')]) ?? [];
  const code: unknown = fields.get('code');
  const reason: unknown = fields.get('reason');
  if (sequence === undefined || !isText(code, 64) || !isText(reason, 1024))
    throw malformed('acknowledgement');
  return { sequence, code, reason };
}

/** Reads and checks every field; unknown ones are ignored. Errors: FLEETLOG_MESSAGE_MALFORMED. */
export function decodeStatus(bytes: Uint8Array): GatewayStatus {
  const status = decodeMap(bytes, 'status');
  const connected = status.get('connected');
  const epoch = status.get('epoch');
  const version = status.get('version');
  const timeUs = wholeNumber(status.get('timeUs'));
  if (typeof connected !== 'boolean' || !isLifeId(epoch) || !isText(version, 64) || timeUs === undefined) {
    throw malformed('status');
  }
  const streams: GatewayStatus['streams'] = {};
  for (const [stream, fields] of entriesByStream(status, 'status')) {
    const kind = fields.get('kind');
    const numbers = naturals(['first', 'next', 'bytes', 'discarded'].map((name) => fields.get(name)));
    if (!isText(kind, 64) || !numbers) throw malformed('status');
    const [first, next, bytes, discarded] = numbers;
    streams[stream] = { kind, first, next, bytes, discarded };
  }
  const rescuing: unknown = status.get('rescuing');
  if (rescuing === undefined) return { connected, epoch, version, timeUs, streams };
  if (!Array.isArray(rescuing) || rescuing.length > rescuingMax || !rescuing.every(isLifeId)) {
    throw malformed('status');
  }
  return { connected, epoch, version, timeUs, streams, rescuing };
}

type Fields = ReadonlyMap<unknown, unknown>;

const messageBytesMax = 256 * 1024;

function decodeMap(bytes: Uint8Array, what: string): Fields {
  const value =
    bytes.length <= messageBytesMax ? decodePlain(bytes, { depthMax: 5, itemsMax: 65_536 }) : undefined;
  if (!(value instanceof Map)) throw malformed(what);
  return value;
}

function* entriesByStream(message: Fields, what: string): Generator<[string, Fields]> {
  const streams = message.get('streams');
  if (!(streams instanceof Map)) throw malformed(what);
  for (const [stream, fields] of streams as Fields) {
    if (!isStreamName(stream) || !(fields instanceof Map)) throw malformed(what);
    yield [stream, fields];
  }
}

/** Whole numbers from 0 on; undefined where any isn't one. */
function naturals(values: unknown): number[] | undefined {
  if (!Array.isArray(values)) return undefined;
  const numbers = values.map((value) => wholeNumber(value) ?? -1);
  return numbers.every((number) => number >= 0) ? numbers : undefined;
}

/** Ascending, disjoint, with a hole between each and the next: what `RangeSet.fromFlat` takes. */
const areRanges = (flat: readonly number[]): boolean =>
  flat.length % 2 === 0 && flat.every((bound, i) => i === 0 || bound >= flat[i - 1] + (i % 2 === 0 ? 2 : 0));

const isText = (value: unknown, charsMax: number): value is string =>
  typeof value === 'string' && value.length <= charsMax;

const malformed = (what: string): FleetlogError =>
  new FleetlogError('FLEETLOG_MESSAGE_MALFORMED', `This isn't a message of this protocol: wrong ${what}.`);

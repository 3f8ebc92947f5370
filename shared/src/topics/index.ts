import { Decoder, Encoder } from 'cbor-x';
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

/** Retained; the last will sets `connected` to false. */
export interface GatewayStatus {
  connected: boolean;
  epoch: string;
  version: string;
  timeUs: number;
  /** By stream: `first` sequence that is still in the buffer, `next` that will be given; bytes buffered. */
  streams: {
    [stream: string]: { kind: string; first: number; next: number; bytes: number; discarded: number };
  };
}

const encoder = new Encoder({ useRecords: false, variableMapSize: true, tagUint8Array: false });
const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });

export const encodeMessage = (message: Ack | GatewayStatus): Uint8Array => encoder.encode(message);

export function decodeAck(bytes: Uint8Array): Ack {
  const ack = decodeMap(bytes);
  if (!isLifeId(ack.epoch) || !isObject(ack.streams)) throw malformed('acknowledgement');
  for (const [stream, entry] of Object.entries(ack.streams)) {
    if (!isStreamName(stream) || !isObject(entry) || !isIntegers(entry.held)) {
      throw malformed('acknowledgement');
    }
  }
  return ack as unknown as Ack;
}

export function decodeStatus(bytes: Uint8Array): GatewayStatus {
  const status = decodeMap(bytes);
  if (typeof status.connected !== 'boolean' || !isLifeId(status.epoch) || !isObject(status.streams)) {
    throw malformed('status');
  }
  for (const [stream, entry] of Object.entries(status.streams)) {
    if (!isStreamName(stream) || !isObject(entry) || !isIntegers([entry.first, entry.next])) {
      throw malformed('status');
    }
  }
  return status as unknown as GatewayStatus;
}

const messageBytesMax = 256 * 1024;

function decodeMap(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.length > messageBytesMax) throw malformed('message');
  let value: unknown;
  try {
    value = decoder.decode(bytes);
  } catch (cause) {
    throw malformed('message', cause);
  }
  if (!isObject(value)) throw malformed('message');
  return value;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isIntegers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((v) => Number.isSafeInteger(v) && (v as number) >= 0);

const malformed = (what: string, cause?: unknown): FleetlogError =>
  new FleetlogError('FLEETLOG_MESSAGE_MALFORMED', `The ${what} isn't one of this protocol.`, { cause });

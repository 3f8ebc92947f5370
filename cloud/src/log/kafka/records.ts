import type { MessageRecord } from '@platformatic/kafka';
import type { LogEntry, LogNote } from '../log.js';
import type { CommittedRecord } from './reader.js';

/*
 * A batch: key = the gateway's id, value = the batch as the gateway sent it (format v1), timestamp = receive time in
 * ms; header "receive-time-us" = the same in µs, as text, header "stream" = the stream's name.
 * A note: key and value as they are.
 */
const receiveTimeHeader = Buffer.from('receive-time-us');
const streamHeader = Buffer.from('stream');

export interface RecordFacts {
  receiveTimeUs: number;
  bytes: Uint8Array;
  gateway?: string | undefined;
  stream?: string | undefined;
}

export function recordOf(topic: string, partition: number, facts: RecordFacts): MessageRecord {
  const { receiveTimeUs, bytes, gateway, stream } = facts;
  const headers = new Map([[receiveTimeHeader, Buffer.from(String(receiveTimeUs))]]);
  if (stream !== undefined) headers.set(streamHeader, Buffer.from(stream));
  return {
    topic,
    partition,
    ...(gateway !== undefined && { key: Buffer.from(gateway) }),
    value: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
    timestamp: BigInt(Math.floor(receiveTimeUs / 1000)),
    headers,
  };
}

export function entryOf(partition: number, record: CommittedRecord): LogEntry {
  const { offset, value, timestampMs, headers } = record;
  const time = headers.find(([name]) => name !== null && receiveTimeHeader.equals(name));
  const receiveTimeUs = time ? Number(String(time[1])) : timestampMs * 1000;
  return { partition, offset, receiveTimeUs, bytes: value };
}

export const noteRecord = (topic: string, partition: number, { key, value }: LogNote): MessageRecord => ({
  topic,
  partition,
  key: Buffer.from(key),
  value: Buffer.from(value.buffer, value.byteOffset, value.length),
});

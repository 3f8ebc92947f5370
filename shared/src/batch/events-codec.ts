import { expectCodec, malformedPayload, overLimit } from './payload.js';
import { decodePlain, encodePlain, integer, wholeNumber } from './plain-cbor.js';
import { limits, type Batch, type EncodedPayload, type EventRecord } from './types.js';
import { compress, decompress } from './zstd.js';

/*
 * events-1   = zstd( [ * event ] )
 * event      = [ time, type, attributes ]           ; time: µs since the Unix epoch
 * attributes = { * text => text / number / bool / null }
 */

/** Encodes events. Errors: FLEETLOG_BATCH_MALFORMED, _LIMIT for a record that no reader would take. */
export function encodeEvents(records: readonly EventRecord[]): EncodedPayload {
  if (records.length > limits.eventsMax) throw overLimit(`${records.length} events`);
  const items = records.reduce((sum, { attributes }) => sum + 4 + 2 * Object.keys(attributes).length, 1);
  if (items > limits.eventItemsMax) throw overLimit(`${items} items in events`);
  const raw = encodePlain(
    records.map(({ timeUs, type, attributes }) => {
      checkEvent(timeUs, type, Object.entries(attributes));
      return [integer(timeUs), type, attributes];
    }),
  );
  return {
    kind: 'events',
    codec: 'events-1',
    payload: compress(raw, 3),
    rawBytes: raw.length,
    recordCount: records.length,
    ...timesOf(records),
  };
}

/**
 * Decodes the events of a batch that `decodeBatch` checked.
 * Errors: FLEETLOG_BATCH_CODEC, FLEETLOG_BATCH_MALFORMED, FLEETLOG_BATCH_LIMIT.
 */
export function decodeEvents(batch: Batch): EventRecord[] {
  expectCodec(batch, 'events-1');
  const { header } = batch;
  if (header.recordCount > limits.eventsMax) throw overLimit(`${header.recordCount} events`);
  const raw = decompress(batch.payload, header.rawBytes);
  const events = decodePlain(raw, { depthMax: 3, itemsMax: limits.eventItemsMax });
  if (!Array.isArray(events) || events.length !== header.recordCount) {
    throw malformedPayload("it isn't a list of as many events as the header says");
  }
  const records = events.map(readEvent);
  const { firstTimeUs, lastTimeUs } = timesOf(records);
  if (records.length > 0 && (firstTimeUs !== header.firstTimeUs || lastTimeUs !== header.lastTimeUs)) {
    throw malformedPayload("its times aren't those of the header");
  }
  return records;
}

function timesOf(records: readonly EventRecord[]): { firstTimeUs: number; lastTimeUs: number } {
  let firstTimeUs = records[0]?.timeUs ?? 0;
  let lastTimeUs = firstTimeUs;
  for (const { timeUs } of records) {
    firstTimeUs = Math.min(firstTimeUs, timeUs);
    lastTimeUs = Math.max(lastTimeUs, timeUs);
  }
  return { firstTimeUs, lastTimeUs };
}

function readEvent(event: unknown): EventRecord {
  if (!Array.isArray(event) || event.length !== 3) throw malformedPayload('an event has no three parts');
  const [time, type, attributes] = event as unknown[];
  const timeUs = wholeNumber(time);
  if (timeUs === undefined) throw malformedPayload("an event's time isn't a whole number of µs");
  if (!(attributes instanceof Map)) throw malformedPayload('an event has no attributes');
  const entries = [...attributes].map(([name, value]): [unknown, unknown] => [
    name,
    typeof value === 'bigint' ? wholeNumber(value) : value,
  ]);
  checkEvent(timeUs, type, entries);
  return {
    timeUs,
    type: type as string,
    attributes: Object.fromEntries(entries) as EventRecord['attributes'],
  };
}

const typePattern = /^[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*$/;

function checkEvent(timeUs: number, type: unknown, attributes: [unknown, unknown][]): void {
  if (!Number.isSafeInteger(timeUs)) throw malformedPayload("an event's time isn't a whole number of µs");
  if (typeof type !== 'string' || type.length > 128 || !typePattern.test(type)) {
    throw malformedPayload("an event's type isn't dotted words");
  }
  if (attributes.length > limits.eventAttributesMax) throw overLimit('the attributes of an event');
  for (const [name, value] of attributes) {
    const isPlain = value === null || ['string', 'number', 'boolean'].includes(typeof value);
    if (typeof name !== 'string' || !isPlain) throw malformedPayload("an event's attribute isn't plain");
  }
}

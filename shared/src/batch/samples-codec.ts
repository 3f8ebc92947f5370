import { fromDifferences, fromLanes, laneBits, toDifferences, toLanes, wordsOf } from './lanes.js';
import { expectCodec, malformedPayload, overLimit } from './payload.js';
import { bytesOf, bytesPerValue, channelTypes, Samples, type ChannelSpec } from './samples.js';
import { checkTimeSpan, timeSpan } from './times.js';
import { limits, type Batch, type EncodedPayload } from './types.js';
import { PayloadReader, putSigned, putVarint, VARINT_BYTES_MAX } from './varint.js';
import { compress, decompress } from './zstd.js';

/*
 * samples-1 = zstd( channels times *column )
 * channels  = varint *channel           ; how many, then each
 * channel   = type text text [ f64 f64 ] ; type: byte, place in `channelTypes`; name; unit; scale and offset where 128 is
 *                                       ; added to the type
 * text      = varint *byte              ; length in bytes, UTF-8
 * times     = recordCount * signed      ; µs: the first as difference to the header's first time, then the change of
 *                                       ; the difference to the one before (the first difference as change from 0)
 * column    = form lanes                ; one for each channel
 * form      = 0 / 1                     ; 0: lanes of the values; 1: lanes of their differences
 * lanes     = width * recordCount bytes ; all lowest bytes, then all second lowest, …
 */
const form = { values: 0, differences: 1 } as const;
const nameBytesMax = 128;
const unitBytesMax = 32;
const SCALED = 128;

/** Encodes samples, bit for bit. Errors: FLEETLOG_BATCH_LIMIT, FLEETLOG_BATCH_MALFORMED for channels no reader takes. */
export function encodeSamples(samples: Samples, level = 1): EncodedPayload {
  const { channels, count } = samples;
  const { firstTimeUs, lastTimeUs } = timeSpan(samples);
  const head = encodeChannels(channels);
  const columnBytes = channels.reduce((sum, { type }) => sum + 1 + count * bytesPerValue(type), 0);
  const raw = Buffer.allocUnsafe(head.length + VARINT_BYTES_MAX * count + columnBytes);
  raw.set(head);
  let at = putTimes(samples, firstTimeUs, raw, head.length);
  for (let i = 0; i < channels.length; i++) {
    const width = bytesPerValue(channels[i].type);
    const values = wordsOf(samples.columns[i], width, count);
    const differences = values.slice();
    toDifferences(values, width, differences);
    const isSmooth = laneBits(bytesOf(differences), width) < laneBits(bytesOf(values), width);
    raw[at] = isSmooth ? form.differences : form.values;
    toLanes(bytesOf(isSmooth ? differences : values), width, raw.subarray(at + 1));
    at += 1 + width * count;
  }
  return {
    kind: 'samples',
    codec: 'samples-1',
    payload: compress(raw.subarray(0, at), level),
    rawBytes: at,
    recordCount: count,
    firstTimeUs,
    lastTimeUs,
  };
}

function encodeChannels(channels: readonly ChannelSpec[]): Uint8Array {
  checkChannels(channels);
  const head = Buffer.alloc(VARINT_BYTES_MAX);
  const parts: Uint8Array[] = [head.subarray(0, putVarint(head, 0, channels.length))];
  for (const { type, name, unit, scale, offset } of channels) {
    const isScaled = scale !== undefined || offset !== undefined;
    const nameBytes = Buffer.from(name);
    const unitBytes = Buffer.from(unit);
    if (nameBytes.length > nameBytesMax || unitBytes.length > unitBytesMax) throw overLimit('a name or unit');
    // Lengths below 128 are varints of one byte; 128 itself takes two.
    const nameHead = Buffer.alloc(2);
    parts.push(
      Uint8Array.of(channelTypes.indexOf(type) | (isScaled ? SCALED : 0)),
      nameHead.subarray(0, putVarint(nameHead, 0, nameBytes.length)),
      nameBytes,
      Uint8Array.of(unitBytes.length),
      unitBytes,
      isScaled ? bytesOf(Float64Array.of(scale ?? 1, offset ?? 0)) : new Uint8Array(0),
    );
  }
  return Buffer.concat(parts);
}

function putTimes(samples: Samples, firstTimeUs: number, raw: Uint8Array, at: number): number {
  const { count, timeOffsetUs, baseTimeUs } = samples;
  if (count > 0) at = putSigned(raw, at, baseTimeUs + timeOffsetUs[0] - firstTimeUs);
  let step = 0;
  for (let i = 1; i < count; i++) {
    const next = timeOffsetUs[i] - timeOffsetUs[i - 1];
    at = putSigned(raw, at, next - step);
    step = next;
  }
  return at;
}

/**
 * Decodes the samples of a batch that `decodeBatch` checked.
 * Errors: FLEETLOG_BATCH_CODEC, FLEETLOG_BATCH_MALFORMED, FLEETLOG_BATCH_LIMIT.
 */
export function decodeSamples(batch: Batch): Samples {
  expectCodec(batch, 'samples-1');
  const { recordCount: count, firstTimeUs, rawBytes } = batch.header;
  if (count > rawBytes) throw malformedPayload('it is too short for its records');
  const reader = new PayloadReader(decompress(batch.payload, rawBytes));
  const channels = readChannels(reader);
  // Each time takes a byte at least: nothing is allocated that the payload doesn't fill.
  const rowBytes = channels.reduce((sum, { type }) => sum + bytesPerValue(type), 0);
  if (reader.remaining < count * (1 + rowBytes) + channels.length) {
    throw malformedPayload('it is too short for its records');
  }
  const samples = new Samples(channels, count);
  samples.count = count;
  readTimes(reader, samples, firstTimeUs);
  for (let i = 0; i < channels.length; i++) {
    const width = bytesPerValue(channels[i].type);
    const columnForm = reader.byte();
    const words = wordsOf(samples.columns[i], width, count);
    fromLanes(reader.take(width * count), width, bytesOf(words));
    if (columnForm === form.differences) fromDifferences(words, width);
    else if (columnForm !== form.values) throw malformedPayload('a column has an unknown form');
  }
  if (reader.remaining > 0) throw malformedPayload('bytes follow its columns');
  checkTimeSpan(batch.header, samples);
  return samples;
}

function readChannels(reader: PayloadReader): ChannelSpec[] {
  const count = reader.varint();
  if (count > limits.channelsMax) throw overLimit(`${count} channels`);
  const channels: ChannelSpec[] = [];
  for (let i = 0; i < count; i++) {
    const byte = reader.byte();
    const type = channelTypes[byte & ~SCALED];
    if (type === undefined) throw malformedPayload('a channel has an unknown type');
    const channel = { type, name: readText(reader, nameBytesMax), unit: readText(reader, unitBytesMax) };
    channels.push(
      byte & SCALED ? { ...channel, scale: readFloat(reader), offset: readFloat(reader) } : channel,
    );
  }
  checkChannels(channels);
  return channels;
}

function readFloat(reader: PayloadReader): number {
  const bytes = reader.take(8);
  const value = new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
  if (!Number.isFinite(value)) throw malformedPayload('a scale or offset is no number');
  return value;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readText(reader: PayloadReader, bytesMax: number): string {
  const length = reader.varint();
  if (length > bytesMax) throw overLimit('a name or unit');
  try {
    return utf8.decode(reader.take(length));
  } catch (cause) {
    throw malformedPayload("a name or unit isn't UTF-8", cause);
  }
}

function checkChannels(channels: readonly ChannelSpec[]): void {
  if (channels.some(({ scale = 1, offset = 0 }) => !Number.isFinite(scale) || !Number.isFinite(offset))) {
    throw malformedPayload('a scale or offset is no number');
  }
  if (channels.length > limits.channelsMax) throw overLimit(`${channels.length} channels`);
  const names = new Set(channels.map(({ name }) => name));
  if (names.size !== channels.length || names.has('')) {
    throw malformedPayload('the names of its channels are empty or not unique');
  }
}

function readTimes(reader: PayloadReader, samples: Samples, firstTimeUs: number): void {
  const { count, timeOffsetUs } = samples;
  const base = count > 0 ? reader.signed() : 0;
  samples.baseTimeUs = firstTimeUs + base;
  let step = 0;
  let offset = 0;
  for (let i = 1; i < count; i++) {
    step += reader.signed();
    offset += step;
    if (offset !== (offset | 0)) throw malformedPayload('a time is out of range');
    timeOffsetUs[i] = offset;
  }
}

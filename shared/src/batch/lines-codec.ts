import { expectCodec, malformedPayload, overLimit } from './payload.js';
import { TextLines } from './text-lines.js';
import { checkTimeSpan, timeSpan } from './times.js';
import { limits, type Batch, type EncodedPayload } from './types.js';
import { PayloadReader, putSigned, putVarint, VARINT_BYTES_MAX } from './varint.js';
import { compress, decompress } from './zstd.js';

/*
 * lines-1 = zstd( times lengths text )
 * times   = recordCount * signed    ; µs: the first as difference to the header's first time, then to the one before
 * lengths = recordCount * varint    ; bytes of each line, its line end included
 * text    = bytes                   ; all lines, one behind the other
 */

/** Encodes lines; `level` is zstd's. Errors: FLEETLOG_BATCH_LIMIT for a line over `limits.lineBytesMax`. */
export function encodeLines(lines: TextLines, level = 3): EncodedPayload {
  const { count, timeOffsetUs, lineStart } = lines;
  const { firstTimeUs, lastTimeUs } = timeSpan(lines);
  const raw = Buffer.allocUnsafe(2 * VARINT_BYTES_MAX * count + lines.textBytes);
  let at = 0;
  let previous = firstTimeUs - lines.baseTimeUs;
  for (let i = 0; i < count; i++) {
    at = putSigned(raw, at, timeOffsetUs[i] - previous);
    previous = timeOffsetUs[i];
  }
  for (let i = 0; i < count; i++) {
    const length = lineStart[i + 1] - lineStart[i];
    if (length > limits.lineBytesMax) throw overLimit(`a line of ${length} bytes`);
    at = putVarint(raw, at, length);
  }
  raw.set(lines.bytes.subarray(0, lines.textBytes), at);
  const rawBytes = at + lines.textBytes;
  return {
    kind: 'lines',
    codec: 'lines-1',
    payload: compress(raw.subarray(0, rawBytes), level),
    rawBytes,
    recordCount: count,
    firstTimeUs,
    lastTimeUs,
  };
}

/**
 * Decodes the lines of a batch that `decodeBatch` checked, into `into` where given (cleared first).
 * Errors: FLEETLOG_BATCH_CODEC, FLEETLOG_BATCH_MALFORMED, FLEETLOG_BATCH_LIMIT; after one, `into` holds no lines.
 */
export function decodeLines(batch: Batch, into: TextLines = new TextLines(0)): TextLines {
  into.clear();
  expectCodec(batch, 'lines-1');
  const { recordCount: count, firstTimeUs, rawBytes } = batch.header;
  if (2 * count > rawBytes) throw malformedPayload('it is too short for its records');
  const raw = decompress(batch.payload, rawBytes);
  const reader = new PayloadReader(raw);
  into.reserve(count, 0);
  let time = 0; // µs after the header's first time
  let base = 0;
  for (let i = 0; i < count; i++) {
    time += reader.signed();
    if (i === 0) base = time;
    const offset = time - base;
    if (offset !== (offset | 0)) throw malformedPayload('a time is out of range');
    into.timeOffsetUs[i] = offset;
  }
  let end = 0;
  for (let i = 0; i < count; i++) {
    const length = reader.varint();
    if (length > limits.lineBytesMax) throw overLimit(`a line of ${length} bytes`);
    end += length;
    into.lineStart[i + 1] = end;
  }
  if (end !== reader.remaining) throw malformedPayload("its lines don't fill it");
  into.reserve(count, end);
  into.bytes.set(reader.take(end));
  const { timeOffsetUs } = into;
  checkTimeSpan(batch.header, { count, baseTimeUs: firstTimeUs + base, timeOffsetUs });
  into.baseTimeUs = firstTimeUs + base;
  into.count = count;
  return into;
}

import { overLimit } from '../../batch/payload.js';
import { timeSpan } from '../../batch/times.js';
import { limits, type EncodedPayload } from '../../batch/types.js';
import type { CanFrames } from '../frames.js';
import { BitWriter } from './bit-writer.js';
import { ByteWriter } from './byte-writer.js';
import { Channels, sortIntoChannels, writeChannels } from './channels.js';
import { writeFacts } from './facts.js';
import { LaneWriter } from './lane-writer.js';
import { Order } from './order.js';
import { Places } from './places.js';
import { SymbolWriter } from './symbol-writer.js';
import { Times } from './times.js';

/** Arrays that are used again for each batch: encoding is synchronous, so one set serves a thread. */
class Encoder {
  private readonly out = new SymbolWriter();
  private readonly bits = new BitWriter();
  private readonly tables = new BitWriter();
  private readonly channels = new Channels();
  private readonly order = new Order();
  private readonly times = new Times();
  private readonly places = new Places();
  private readonly lanes = new LaneWriter(this.out, this.bits);
  private channelOf = new Int32Array(4096);

  encode(frames: CanFrames): EncodedPayload {
    const { out, bits, channels } = this;
    const { count } = frames;
    const { firstTimeUs, lastTimeUs } = timeSpan(frames);
    const { head, rawBytes: factsBytes } = writeFacts(frames, firstTimeUs);
    const rawBytes = factsBytes + frames.dataBytes;
    if (count > limits.recordsMax) throw overLimit(`${count} frames`);
    if (rawBytes > limits.rawBytesMax) throw overLimit(`${rawBytes} bytes of data`);

    if (this.channelOf.length < count) this.channelOf = new Int32Array(2 * count);
    const { channelOf } = this;
    sortIntoChannels(frames, channels, channelOf);
    this.places.sort(channels, channelOf, frames.dataStart, count);
    out.clear();
    bits.clear();
    writeChannels(bits, channels);
    this.order.write(out, bits, channelOf, count, channels.count);
    this.times.write(out, bits, frames.timeOffsetUs, count);
    this.lanes.write(channels, this.places.dataStart, frames.data);
    const payload = this.join(head);
    return {
      kind: 'can',
      codec: 'can-1',
      payload,
      rawBytes,
      recordCount: count,
      firstTimeUs,
      lastTimeUs,
    };
  }

  private join(head: Uint8Array): Uint8Array {
    const { out, tables } = this;
    tables.clear();
    out.writeTables(tables);
    const tableBytes = tables.finish();
    const bits = this.bits.finish();
    const words = out.code();
    const sizes = new ByteWriter();
    sizes.varint(tableBytes.length);
    sizes.varint(bits.length);
    const sizeBytes = sizes.written();
    const start = head.length + sizeBytes.length + tableBytes.length + bits.length;
    const payload = new Uint8Array(start + 2 * words.length);
    payload.set(head);
    payload.set(sizeBytes, head.length);
    payload.set(tableBytes, head.length + sizeBytes.length);
    payload.set(bits, start - bits.length);
    for (let i = 0, to = start; i < words.length; i++) {
      payload[to++] = words[i];
      payload[to++] = words[i] >>> 8;
    }
    return payload;
  }
}

/** Larger batches, which are rare, get arrays of their own, so that one of them doesn't hold memory for ever. */
const FRAMES_KEPT = 65_536;
const encoder = new Encoder();

/**
 * Encodes frames as a `can-1` payload, which is a buffer of its own; `format-can-1.md` specifies its bytes.
 * Errors: FLEETLOG_BATCH_LIMIT above `limits.recordsMax` frames or `limits.rawBytesMax` bytes of data.
 */
export function encodeCan(frames: CanFrames): EncodedPayload {
  return (frames.count > FRAMES_KEPT ? new Encoder() : encoder).encode(frames);
}

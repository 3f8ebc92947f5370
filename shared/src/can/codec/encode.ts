import { overLimit } from '../../batch/payload.js';
import { timeSpan } from '../../batch/times.js';
import { limits, type EncodedPayload } from '../../batch/types.js';
import type { CanFrames } from '../frames.js';
import { Channels, sortIntoChannels, writeChannels } from './channels.js';
import { writeFacts } from './facts.js';
import { LaneWriter } from './lane-writer.js';
import { Order } from './order.js';
import { Places } from './places.js';
import { SymbolWriter } from './symbol-writer.js';
import { TABLES } from './tables.js';
import { Times } from './times.js';

/** Arrays that are used again for each batch: encoding is synchronous, so one set serves a thread. */
class Encoder {
  private readonly out = new SymbolWriter(TABLES);
  private readonly channels = new Channels();
  private readonly order = new Order();
  private readonly times = new Times();
  private readonly places = new Places();
  private readonly lanes = new LaneWriter(this.out);
  private channelOf = new Int32Array(4096);

  encode(frames: CanFrames): EncodedPayload {
    const { out, channels } = this;
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
    writeChannels(out, channels);
    this.order.write(out, channelOf, count, channels.count);
    this.times.write(out, frames.timeOffsetUs, channelOf, count, channels.count);
    this.lanes.write(channels, this.places.dataStart, frames.data);
    const payload = out.finish(head.length);
    payload.set(head);
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

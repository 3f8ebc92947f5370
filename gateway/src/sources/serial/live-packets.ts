import {
  encodeLines,
  encodeSamples,
  Samples,
  TextLines,
  type EncodedPayload,
  type Origin,
} from '@fleetlog/shared/batch';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { EagerBatcher } from '../../batch/eager-batcher.js';
import type { BatchLimits } from '../../batch/limits.js';
import type { SourceClock } from '../../time/source-clock.js';
import type { LiveInput } from '../live-input.js';
import type { BatchSink, SourceCounters } from '../source.js';
import { DeviceClock } from './device-clock.js';
import { createFramer, type Framer, type PacketSink } from './framing.js';
import type { PacketFormat } from './packet-config.js';
import { PacketLayout } from './packet-layout.js';

/** Silence after which an unfinished packet isn't waited for any more. */
const UNFINISHED_MS = 500;
/** Bytes without a single packet by which something must be wrong. */
const SUSPICIOUS_BYTES = 4096;

export interface LivePacketsOptions {
  stream: string;
  origin: Origin;
  limits: BatchLimits;
  format: PacketFormat;
  /** What the samples are stamped with, one for each start of the input. */
  createClock: () => SourceClock;
  clock: Clock;
  logger: Logger;
  /** zstd level, where not the usual one. */
  compression: number | undefined;
}

/** Brings the packets of one life of an input into batches of samples. */
export class LivePackets {
  private readonly layout: PacketLayout;
  private readonly framer: Framer;
  private readonly samples: Samples;
  private readonly batcher: EagerBatcher;
  private readonly discards: { lines: TextLines; batcher: EagerBatcher } | undefined;
  private readonly wall: SourceClock;
  private readonly deviceClock: DeviceClock | undefined;
  private readonly sink: PacketSink;
  /** When the bytes in work arrived, monotonic. */
  private arrivalUs = 0;
  private lastTimeUs = -Infinity;
  private bytesWithoutPacket = 0;

  constructor(
    private readonly options: LivePacketsOptions,
    private readonly counters: SourceCounters,
    sink: BatchSink,
  ) {
    const { stream, origin, limits, format, clock } = options;
    this.layout = new PacketLayout(format.fields);
    this.framer = createFramer(format.framing, format.packetBytesMax);
    this.samples = new Samples(this.layout.channels);
    this.wall = options.createClock();
    if (format.time) this.deviceClock = new DeviceClock(format.time.tickUs, format.time.wrap);
    const common = {
      origin,
      limits,
      sink,
      clock,
      clockOf: (payload: EncodedPayload) => this.wall.ofBatch(payload),
    };
    this.batcher = new EagerBatcher({
      ...common,
      stream,
      columns: this.samples,
      encode: () => encodeSamples(this.samples, options.compression),
    });
    if (format.keepsDiscards) {
      const lines = new TextLines();
      const batcher = new EagerBatcher({
        ...common,
        stream: `${stream}-discards`,
        columns: lines,
        encode: () => encodeLines(lines, options.compression),
      });
      this.discards = { lines, batcher };
    }
    this.sink = {
      packet: (bytes, start, end) => this.takePacket(bytes, start, end),
      noise: (bytes, start, end) => this.takeNoise(bytes, start, end),
    };
  }

  /** Resolves when the input has ended, or the signal aborts, and all that was read is put. */
  async read(input: LiveInput, signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    let heardUs = clock.monotonicUs();
    while (!signal.aborted) {
      const chunk = input.read();
      if (chunk !== null) {
        heardUs = this.arrivalUs = input.arrivalUs;
        await this.takeChunk(chunk);
      }
      await this.settled();
      if (chunk !== null) continue;
      if (input.ended) break;
      const silentMs = (clock.monotonicUs() - heardUs) / 1000;
      if (silentMs >= UNFINISHED_MS) this.framer.reset(this.sink);
      await input.more(
        Math.min(this.lingerLeftMs(), silentMs < UNFINISHED_MS ? UNFINISHED_MS : Infinity),
        signal,
      );
    }
    this.framer.reset(this.sink);
    this.batcher.seal();
    this.discards?.batcher.seal();
    await this.settled();
  }

  private async takeChunk(chunk: Uint8Array): Promise<void> {
    await this.followClock();
    this.bytesWithoutPacket += chunk.length;
    this.framer.take(chunk, this.sink);
    await this.settled();
    if (this.bytesWithoutPacket < SUSPICIOUS_BYTES) return;
    this.bytesWithoutPacket = -Infinity; // said once until a packet comes
    this.options.logger.warn(
      {},
      `${SUSPICIOUS_BYTES} bytes came and none of them made a packet; compare baud rate, framing and checksum with the sensor's.`,
    );
  }

  /** A batch has one offset of the clock. */
  private async followClock(): Promise<void> {
    if (!this.wall.changed) return;
    this.batcher.seal();
    this.discards?.batcher.seal();
    await this.settled();
    this.wall.renew();
    this.lastTimeUs = -Infinity;
  }

  private async settled(): Promise<void> {
    await this.batcher.settled();
    await this.discards?.batcher.settled();
  }

  private lingerLeftMs(): number {
    return Math.min(this.batcher.lingerLeftMs(), this.discards?.batcher.lingerLeftMs() ?? Infinity);
  }

  private takePacket(bytes: Uint8Array, start: number, end: number): boolean {
    const { format } = this.options;
    const { samples, layout, counters } = this;
    const { checksum, fieldsFrom } = format;
    const bodyEnd = checksum ? end - checksum.sum.bytes : end;
    if (
      bodyEnd - start < fieldsFrom + layout.bytes ||
      (checksum && !isRight(checksum, bytes, start, bodyEnd))
    ) {
      counters.malformed++;
      return false;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const timeUs = this.timeOf(view, start + fieldsFrom);
    this.batcher.makeRoom(timeUs);
    layout.store(view, start + fieldsFrom, samples, samples.append(timeUs));
    this.batcher.recordAdded(samples.count * layout.bytes);
    this.countTime(timeUs);
    counters.records++;
    this.bytesWithoutPacket = 0;
    return true;
  }

  private timeOf(view: DataView, at: number): number {
    const { time } = this.options.format;
    if (!time || !this.deviceClock) return this.wall.timeOf(this.arrivalUs);
    const ticks = this.layout.read(time.channel, view, at);
    return this.wall.timeOf(this.deviceClock.timeOf(ticks, this.arrivalUs));
  }

  private countTime(timeUs: number): void {
    if (timeUs < this.lastTimeUs) this.counters.timeReversals++;
    this.lastTimeUs = timeUs;
  }

  private takeNoise(bytes: Uint8Array, start: number, end: number): void {
    this.counters.noiseBytes = (this.counters.noiseBytes ?? 0) + end - start;
    if (!this.discards) return;
    const { lines, batcher } = this.discards;
    const timeUs = this.wall.timeOf(this.arrivalUs);
    batcher.makeRoom(timeUs);
    lines.append(timeUs, bytes, start, end - start);
    batcher.recordAdded(lines.textBytes);
  }
}

function isRight(
  { sum, from, bigEndian }: NonNullable<PacketFormat['checksum']>,
  bytes: Uint8Array,
  start: number,
  bodyEnd: number,
): boolean {
  if (start + from > bodyEnd) return false;
  let said = 0;
  for (let i = 0; i < sum.bytes; i++) {
    const byte = bytes[bodyEnd + i];
    said = bigEndian ? (said << 8) | byte : said | (byte << (8 * i));
  }
  return said >>> 0 === sum.of(bytes, start + from, bodyEnd);
}

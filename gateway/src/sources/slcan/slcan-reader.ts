import { encodeGap, type Origin } from '@fleetlog/shared/batch';
import { CanFrames, encodeCan } from '@fleetlog/shared/can';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { EagerBatcher } from '../../batch/eager-batcher.js';
import type { BatchLimits } from '../../batch/limits.js';
import type { GatewayEvents } from '../../events/events.js';
import type { SourceClock } from '../../time/source-clock.js';
import type { TwoWayInput } from '../live-input.js';
import { DeviceClock } from '../serial/device-clock.js';
import type { BatchSink, SourceCounters } from '../source.js';
import { LOST_BITS, namesOfStatus, SLCAN_LINE_BYTES_MAX, SlcanFrame, TIME_WRAP_MS } from './slcan-line.js';
import { SlcanSession, type SlcanSettings } from './slcan-session.js';

const CR = 13;
const BELL = 7;
const LETTER_F = 70;
/** How often the adapter is asked for its error flags. */
const STATUS_MS = 1000;
/** Lines without a single frame among them by which something must be wrong. */
const SUSPICIOUS_LINES = 100;

export interface SlcanReaderOptions {
  stream: string;
  /** Name of the bus in the frames. */
  bus: string;
  path: string;
  origin: Origin;
  limits: BatchLimits;
  settings: SlcanSettings;
  /** What the frames are stamped with, one for each life of the adapter. */
  createClock: () => SourceClock;
  clock: Clock;
  logger: Logger;
  events: GatewayEvents;
  /** Sees the frames of each batch. */
  onFrames?: ((frames: CanFrames) => void) | undefined;
}

/** Brings the frames of one life of an adapter into batches. */
export class SlcanReader {
  private readonly frames = new CanFrames();
  private readonly batcher: EagerBatcher;
  private readonly wall: SourceClock;
  private readonly adapterClock = new DeviceClock(1000, TIME_WRAP_MS);
  private readonly frame = new SlcanFrame();
  /** The line that has begun. */
  private readonly line = new Uint8Array(SLCAN_LINE_BYTES_MAX);
  private lineLength = 0;
  private arrivalUs = 0;
  private lastTimeUs = -Infinity;
  private status = 0;
  private strangeLines = 0;
  private readonly putting: Promise<void>[] = [];

  constructor(
    private readonly options: SlcanReaderOptions,
    private readonly counters: SourceCounters,
    private readonly sink: BatchSink,
  ) {
    const { stream, origin, limits, clock } = options;
    this.wall = options.createClock();
    this.batcher = new EagerBatcher({
      stream,
      origin,
      limits,
      sink,
      clock,
      columns: this.frames,
      encode: () => {
        options.onFrames?.(this.frames);
        return encodeCan(this.frames);
      },
      clockOf: (payload) => this.wall.ofBatch(payload),
    });
  }

  /** Resolves when the port is lost, or the signal aborts, and all that was read is put. Errors: FLEETLOG_SOURCE. */
  async read(input: TwoWayInput, signal: AbortSignal): Promise<void> {
    const { settings, path, clock, logger, events, stream } = this.options;
    const session = new SlcanSession(input, path, clock, logger, signal);
    const adapter = await session.open(settings);
    const { version = 'unknown', serialNumber = 'unknown' } = adapter;
    logger.info(
      { version, serialNumber, ...settings },
      `The CAN adapter at ${path} listens at ${settings.bitrate} bit/s.`,
    );
    events.note('can.opened', {
      stream,
      version,
      serialNumber,
      bitrate: settings.bitrate,
      listenOnly: settings.listenOnly,
    });
    let askedUs = clock.monotonicUs();
    this.arrivalUs = askedUs;
    this.takeChunk(session.left);
    while (!signal.aborted) {
      const chunk = input.read();
      if (chunk !== null) {
        this.arrivalUs = input.arrivalUs;
        await this.followClock();
        this.takeChunk(chunk);
      }
      await this.settled();
      if (chunk === null && input.ended) break;
      const sinceMs = (clock.monotonicUs() - askedUs) / 1000;
      if (sinceMs >= STATUS_MS && adapter.version !== undefined) {
        askedUs = clock.monotonicUs();
        await input.write(Buffer.from('F\r')).catch(() => undefined); // reading tells that the port is lost
      }
      if (chunk === null) await input.more(Math.min(this.batcher.lingerLeftMs(), STATUS_MS), signal);
    }
    this.batcher.seal();
    await this.settled();
    if (!input.ended) await input.write(Buffer.from('C\r')).catch(() => undefined);
  }

  /** A batch has one offset of the clock. */
  private async followClock(): Promise<void> {
    if (!this.wall.changed) return;
    this.batcher.seal();
    await this.settled();
    this.wall.renew();
    this.lastTimeUs = -Infinity;
  }

  private async settled(): Promise<void> {
    await this.batcher.settled();
    await Promise.all(this.putting.splice(0));
  }

  private takeChunk(chunk: Uint8Array): void {
    for (const byte of chunk) {
      if (byte === CR) {
        if (this.lineLength > 0) this.takeLine(this.lineLength);
        this.lineLength = 0;
      } else if (byte === BELL) {
        this.lineLength = 0; // a "no" to the question for flags
      } else if (this.lineLength < this.line.length) {
        this.line[this.lineLength++] = byte;
      }
    }
  }

  private takeLine(length: number): void {
    const { line, frame, frames, counters } = this;
    if (frame.read(line, 0, length)) {
      const timeUs = this.timeOf(frame.timeMs);
      this.batcher.makeRoom(timeUs);
      const bus = frames.busIndex(this.options.bus);
      frames.append(timeUs, frame.id, frame.flags, frame.dlc, bus, frame.data, 0, frame.length);
      this.batcher.recordAdded(frames.dataBytes);
      counters.records++;
      this.strangeLines = 0;
      if (timeUs < this.lastTimeUs) counters.timeReversals++;
      this.lastTimeUs = timeUs;
    } else if (line[0] === LETTER_F && length === 3) {
      this.takeStatus(Number.parseInt(Buffer.from(line.subarray(1, 3)).toString('latin1'), 16));
    } else {
      counters.malformed++;
      if (++this.strangeLines === SUSPICIOUS_LINES) {
        this.options.logger.warn(
          {},
          `${SUSPICIOUS_LINES} lines in a row were no frames; compare the baud rate with the adapter's, and make sure that it speaks the Lawicel protocol.`,
        );
      }
    }
  }

  private timeOf(timeMs: number): number {
    return this.wall.timeOf(timeMs < 0 ? this.arrivalUs : this.adapterClock.timeOf(timeMs, this.arrivalUs));
  }

  private takeStatus(status: number): void {
    if (Number.isNaN(status)) return;
    const { events, stream, logger } = this.options;
    if (status !== this.status) {
      const flags = namesOfStatus(status).join(' ');
      logger.warn(
        { flags },
        flags === '' ? 'The bus has no errors any more.' : `The adapter reports: ${flags}.`,
      );
      events.note('can.status', { stream, flags });
    }
    this.status = status;
    if (status & LOST_BITS) this.noteLoss();
  }

  /** The adapter dropped frames; nobody knows how many. */
  private noteLoss(): void {
    const { stream, origin } = this.options;
    const nowUs = this.wall.nowUs();
    this.counters.overruns = (this.counters.overruns ?? 0) + 1;
    this.batcher.seal();
    const payload = encodeGap(
      { cause: 'source-dropped', detail: 'the adapter had no room for frames and dropped some' },
      { kind: 'can', recordCount: -1, firstTimeUs: nowUs - STATUS_MS * 1000, lastTimeUs: nowUs },
    );
    this.putting.push(this.sink.put(stream, { payload, origin }));
  }
}

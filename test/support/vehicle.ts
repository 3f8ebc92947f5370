import { encodeBatch, encodeLines, TextLines } from '@fleetlog/shared/batch';
import { silentLogger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { EventStream } from '#gateway/events/event-stream.js';
import type { BatchSink, SealedBatch } from '#gateway/sources/source.js';
import { SourceClock } from '#gateway/time/source-clock.js';
import type { TimeKeeper } from '#gateway/time/time-keeper.js';
import { headerFor } from './batches.js';
import { keeperOn } from './keeper.js';

/** A device's clocks against the true time, which the test moves. */
export class VehicleClock implements Clock {
  private readonly startUs: number;
  /** The wall clock = monotonic + this. */
  wallOffsetUs: number;

  /** `trueUs` is shared by all devices of a test; the wall clock starts at `wallUs`, the crystal is off by `ppm`. */
  constructor(
    private readonly world: { trueUs: number },
    wallUs: number,
    private readonly ppm = 0,
  ) {
    this.startUs = world.trueUs;
    this.wallOffsetUs = wallUs - this.monotonicUs();
  }

  nowUs(): number {
    return this.monotonicUs() + this.wallOffsetUs;
  }

  monotonicUs(): number {
    const passedUs = this.world.trueUs - this.startUs;
    return 3_000_000 + passedUs + Math.round((passedUs * this.ppm) / 1e6);
  }

  /** What a perfect receiver would say: true time = monotonic + this. */
  get trueOffsetUs(): number {
    return this.world.trueUs - this.monotonicUs();
  }

  sleep(): Promise<void> {
    return Promise.reject(new Error('this clock is moved by hand'));
  }
}

export interface VehicleOptions {
  world: { trueUs: number };
  boot: string;
  wallUs: number;
  ppm?: number;
  /** The sequences that the streams go on with. */
  next?: Map<string, number>;
  /** When something last kept the wall clock right. */
  lastSyncUs?: () => number | undefined;
}

/** One boot of a gateway: what it stamps and tells, as batches, without disk or network. */
export class Vehicle {
  readonly clock: VehicleClock;
  readonly keeper: TimeKeeper;
  readonly next: Map<string, number>;
  /** Batches in the order in which they were made. */
  readonly batches: { stream: string; bytes: Uint8Array }[] = [];
  readonly events: EventStream;
  private readonly source: SourceClock;
  private readonly stop = new AbortController();

  constructor(private readonly options: VehicleOptions) {
    const { world, wallUs, ppm, boot, next = new Map<string, number>(), lastSyncUs } = options;
    this.clock = new VehicleClock(world, wallUs, ppm);
    this.keeper = keeperOn(this.clock, { boot, kernel: { lastSyncUs: lastSyncUs ?? (() => undefined) } });
    this.next = next;
    const sink: BatchSink = { put: (stream, batch) => Promise.resolve(this.put(stream, batch)) };
    this.events = new EventStream({ sink, time: this.keeper, logger: silentLogger });
    this.source = new SourceClock(this.clock, this.keeper, 'gateway');
    this.stop.abort(new Error('the test looks by itself'));
    void this.keeper.watch(this.events, this.stop.signal);
  }

  /** A batch of one line that tells the true time. */
  async record(): Promise<void> {
    this.keeper.look();
    await this.events.settled();
    if (this.source.changed) this.source.renew();
    const lines = new TextLines();
    const text = Buffer.from(`${this.options.world.trueUs}\n`);
    lines.append(this.source.nowUs(), text, 0, text.length);
    const payload = encodeLines(lines);
    this.put('gps0', { payload, origin: 'live', clock: this.source.ofBatch(payload)! });
  }

  private put(stream: string, { payload, origin, clock }: SealedBatch): void {
    const sequence = this.next.get(stream) ?? 0;
    this.next.set(stream, sequence + 1);
    const { boot } = this.options;
    const header = headerFor(payload, { stream, sequence, boot, origin, clock: clock! });
    this.batches.push({ stream, bytes: encodeBatch(header, payload.payload) });
  }
}

import { FleetlogError } from '@fleetlog/shared/errors';
import { Message } from './can-text.js';
import { arbitrationPriority, CandumpLines, LINE_BYTES_MAX } from './candump-line.js';
import { Drive } from './drive.js';
import { extraMessages, vehicleMessages, type ExtraKind } from './messages.js';
import { Prng } from './prng.js';

export interface CanBusOptions {
  seed: number;
  /** Time of the drive's start, µs since the Unix epoch. */
  startUs: number;
  /** Interface name in the text. Default `can0`. */
  interfaceName?: string;
  /** Frames of rarer kinds beside the usual ones. Default none. */
  extras?: readonly ExtraKind[];
  /** Messages come this many times as often; the bus is full at about 2. Default 1. */
  rate?: number;
}

const CHUNK_BYTES = 64 * 1024;
/** The receiver's interrupt comes this much after the frame's end, at most. */
const LATENCY_US_MAX = 12;
const CLOCK_ERROR = 60e-6; // ECU crystals

/**
 * A vehicle's CAN bus at 500 kbit/s as `candump -L` text: cyclic messages with jitter, one frame at a time on the
 * wire, the lowest identifier first where several wait. A pure function of the options.
 */
export class CanBus {
  private readonly drive: Drive;
  private readonly prng: Prng;
  private readonly startUs: number;
  private readonly messages: Message[];
  /** By message: when its next cycle begins, and when it is ready to send then; µs since the start. */
  private readonly cycleUs: Float64Array;
  private readonly dueUs: Float64Array;
  private readonly periodUs: Float64Array;
  private freeUs = 0;
  private stampUs = 0;
  private readonly lines = new CandumpLines();
  /** A tick of real time is some lines only: new memory for each would cost more than they do. */
  private readonly chunk = new Uint8Array(CHUNK_BYTES);
  /** Frames written so far. */
  frames = 0;

  constructor(options: CanBusOptions) {
    const { seed, startUs, interfaceName = 'can0', extras = [], rate = 1 } = options;
    if (!/^[A-Za-z0-9_-]{1,15}$/.test(interfaceName)) {
      throw new FleetlogError('FLEETLOG_USAGE', `An interface is named like can0, not "${interfaceName}".`);
    }
    this.drive = new Drive(seed);
    this.prng = new Prng(seed, 2);
    this.startUs = startUs;
    const specs = [...vehicleMessages, ...extras.flatMap((kind) => extraMessages[kind])];
    specs.sort((a, b) => priority(a.id) - priority(b.id));
    this.messages = specs.map((spec) => new Message(spec, interfaceName, this.prng.below(16)));
    const clocks = this.messages.map(() => 1 + this.prng.gauss() * CLOCK_ERROR);
    this.periodUs = Float64Array.from(this.messages, ({ periodUs }, i) => (periodUs * clocks[i]) / rate);
    this.cycleUs = this.periodUs.map((period) => this.prng.between(0, period));
    this.dueUs = this.cycleUs.slice();
  }

  /**
   * Text of the next frames that begin before `elapsedUs` after the start, at most 64 KiB and whole lines; empty where
   * there are none left. The bytes belong to the caller.
   */
  next(elapsedUs: number): Uint8Array {
    const out = this.chunk;
    let at = 0;
    while (at <= CHUNK_BYTES - LINE_BYTES_MAX) {
      const winner = this.arbitrate();
      const beginUs = Math.max(this.freeUs, this.dueUs[winner]);
      if (beginUs >= elapsedUs) break;
      at = this.send(winner, beginUs, out, at);
    }
    return out.slice(0, at);
  }

  /** The message that gets the bus next. */
  private arbitrate(): number {
    const { dueUs, freeUs } = this;
    let first = 0;
    for (let i = 0; i < dueUs.length; i++) {
      if (dueUs[i] <= freeUs) return i;
      if (dueUs[i] < dueUs[first]) first = i;
    }
    return first;
  }

  private send(winner: number, beginUs: number, out: Uint8Array, at: number): number {
    const { drive, prng, dueUs, cycleUs } = this;
    const message = this.messages[winner];
    drive.advanceTo(beginUs);
    const onWireUs = message.render(drive.signals);
    this.freeUs = beginUs + onWireUs;
    this.stampUs = Math.max(this.stampUs + 1, Math.floor(this.freeUs + prng.unit() * LATENCY_US_MAX));
    cycleUs[winner] += this.periodUs[winner];
    dueUs[winner] = Math.max(this.freeUs, cycleUs[winner] + Math.abs(prng.gauss()) * message.jitterUs);

    this.frames++;
    return this.lines.write(out, at, this.startUs + this.stampUs, message.head, message.data);
  }
}

/** Text of a whole drive, in chunks of at most 64 KiB. */
export function* candumpText(options: CanBusOptions & { durationUs: number }): Generator<Uint8Array, void> {
  const bus = new CanBus(options);
  for (let chunk = bus.next(options.durationUs); chunk.length > 0; chunk = bus.next(options.durationUs)) {
    yield chunk;
  }
}

const priority = (id: number): number => arbitrationPriority(id & 0x1fff_ffff, id >= 0x2000_0000);

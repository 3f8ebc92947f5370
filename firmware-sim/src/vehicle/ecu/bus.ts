import { Prng } from '../prng.js';
import { arbitrationPriority, CandumpLines, LINE_BYTES_MAX, lineHead } from '../candump-line.js';
import { quantity } from '../physics/quantities.js';
import type { PhysicalVehicle } from '../physics/vehicle.js';
import type { MessageSpec, NetworkSpec } from './description.js';
import { HISTORY_STEPS, MessageEncoder, type History } from './encoder.js';
import { frameBits } from './frame-bits.js';

export interface VehicleBusOptions {
  seed: number;
  startUs: number;
  interfaceName?: string;
}

/** Counted since the start. */
export interface BusCounters {
  frames: number;
  /** Time in which a frame was on the wire, µs. */
  busyUs: number;
  /** Frames that were ready while another one was sent. */
  waited: number;
}

const CHUNK_BYTES = 64 * 1024;
const STEP_US = 10_000;
/** The receiver's interrupt comes this much after the frame's end, at most. */
const LATENCY_US_MAX = 12;
const CLOCK_ERROR = 60e-6; // ECU crystals
/** An event message isn't repeated faster, whatever changes. */
const EVENT_GAP_US = 20_000;

interface Sender {
  spec: MessageSpec;
  encoder: MessageEncoder;
  head: Uint8Array;
  periodUs: number;
  jitterUs: number;
  /** Row of the quantity that makes it speak, or -1, and what it was when it spoke last. */
  trigger: number;
  lastValue: number;
  lastSentUs: number;
  /** When its next cycle begins, and when it is ready to send; µs since the start. */
  cycleUs: number;
  dueUs: number;
}

/**
 * A vehicle's CAN bus as `candump -L` text: cyclic messages with jitter and crystals that drift, event messages when
 * something changes, one frame at a time on the wire for as long as its bits with their stuff bits take, the lowest
 * identifier first where several wait. A pure function of vehicle and options.
 */
export class VehicleBus {
  readonly counters: BusCounters = { frames: 0, busyUs: 0, waited: 0 };
  private readonly senders: Sender[];
  private readonly prng: Prng;
  private readonly history: History;
  private readonly lines = new CandumpLines();
  /** A tick of real time is some lines only: new memory for each would cost more than they do. */
  private readonly chunk = new Uint8Array(CHUNK_BYTES);
  private readonly startUs: number;
  private readonly bitUs: number;
  private steps = 0;
  private freeUs = 0;
  private stampUs = 0;

  constructor(
    private readonly vehicle: PhysicalVehicle,
    network: NetworkSpec,
    { seed, startUs, interfaceName = 'can0' }: VehicleBusOptions,
  ) {
    const prng = new Prng(seed, 20);
    this.prng = prng;
    this.startUs = startUs;
    this.bitUs = 1e6 / network.bitrate;
    const rows = Array.from({ length: HISTORY_STEPS }, () => Float64Array.from(vehicle.values));
    this.history = { rows, newest: 0 };
    this.senders = [...network.messages]
      .sort((a, b) => priorityOf(a) - priorityOf(b))
      .map((spec): Sender => {
        const periodUs = spec.cycleMs * 1000 * (1 + prng.gauss() * CLOCK_ERROR);
        const cycleUs = (spec.wakesMs ?? 0) * 1000 + prng.between(0, Math.min(periodUs, 1e6));
        return {
          spec,
          encoder: new MessageEncoder(spec, prng),
          head: lineHead(interfaceName, spec.id, spec.extended ? 8 : 3, '#'),
          periodUs,
          jitterUs: 15 + spec.cycleMs * 3,
          trigger: spec.event ? quantity[spec.event] : -1,
          lastValue: spec.event ? vehicle.values[quantity[spec.event]] : 0,
          lastSentUs: 0,
          cycleUs,
          dueUs: cycleUs,
        };
      });
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
      const beginUs = Math.max(this.freeUs, winner.dueUs);
      // What changes before that may make an event message speak first.
      if (this.live(Math.min(beginUs, elapsedUs))) continue;
      if (beginUs >= elapsedUs) break;
      at = this.send(winner, beginUs, out, at);
    }
    return out.slice(0, at);
  }

  /** The message that gets the bus next: the first by priority of those that wait, else the next that is due. */
  private arbitrate(): Sender {
    const { senders, freeUs } = this;
    let first = senders[0];
    for (let i = 0; i < senders.length; i++) {
      if (senders[i].dueUs <= freeUs) return senders[i];
      if (senders[i].dueUs < first.dueUs) first = senders[i];
    }
    return first;
  }

  /** Lets the vehicle drive up to `untilUs`; true as soon as a message became due that wasn't. */
  private live(untilUs: number): boolean {
    const { vehicle, history } = this;
    let woke = false;
    while (!woke && (this.steps + 1) * STEP_US <= untilUs) {
      const nowUs = ++this.steps * STEP_US;
      vehicle.advanceTo(nowUs);
      history.newest = (history.newest + 1) % HISTORY_STEPS;
      history.rows[history.newest].set(vehicle.values);
      for (const sender of this.senders) if (sender.trigger >= 0) woke = this.trigger(sender, nowUs) || woke;
    }
    return woke;
  }

  private trigger(sender: Sender, nowUs: number): boolean {
    const value = this.vehicle.values[sender.trigger];
    if (value === sender.lastValue || nowUs < (sender.spec.wakesMs ?? 0) * 1000) return false;
    if (nowUs - sender.lastSentUs < EVENT_GAP_US || sender.dueUs <= nowUs) return false;
    sender.lastValue = value;
    sender.dueUs = nowUs + this.prng.between(100, 900); // the ECU's own loop
    return true;
  }

  private send(sender: Sender, beginUs: number, out: Uint8Array, at: number): number {
    const { counters, prng } = this;
    const { spec, encoder } = sender;
    encoder.encode(this.history);
    const onWireUs = frameBits(spec.id, spec.extended === true, encoder.data) * this.bitUs;
    if (sender.dueUs < this.freeUs) counters.waited++;
    counters.frames++;
    counters.busyUs += onWireUs;
    this.freeUs = beginUs + onWireUs;
    this.stampUs = Math.max(this.stampUs + 1, Math.floor(this.freeUs + prng.unit() * LATENCY_US_MAX));
    sender.lastSentUs = beginUs;
    while (sender.cycleUs <= beginUs) sender.cycleUs += sender.periodUs;
    sender.dueUs = Math.max(this.freeUs, sender.cycleUs + Math.abs(prng.gauss()) * sender.jitterUs);
    return this.lines.write(out, at, this.startUs + this.stampUs, sender.head, encoder.data);
  }
}

const priorityOf = ({ id, extended }: MessageSpec): number => arbitrationPriority(id, extended === true);

import { Prng } from '../prng.js';
import { arbitrationPriority, CandumpLines, LINE_BYTES_MAX } from '../candump-line.js';
import type { Firmware } from '../firmware.js';
import type { PhysicalVehicle } from '../physics/vehicle.js';
import type { NetworkSpec } from './description.js';
import { DiagnosedUnit } from './diagnostics/control-unit.js';
import { Tester } from './diagnostics/tester.js';
import { vinOf } from './diagnostics/vin.js';
import { Disturbances, GATEWAY, type Destroyed } from './errors/disturbances.js';
import { ErrorFrames } from './errors/error-frames.js';
import { HISTORY_STEPS, type History } from './encoder.js';
import { frameBits } from './frame-bits.js';
import { FrameQueue } from './frame-queue.js';
import { NetworkPower } from './power/network-power.js';
import { MessageSender, type BusSender } from './sender.js';

export interface VehicleBusOptions {
  seed: number;
  startUs: number;
  interfaceName?: string;
  firmware?: Firmware | undefined;
}

/** Counted since the start. */
export interface BusCounters {
  frames: number;
  /** Time in which a frame was on the wire, µs. */
  busyUs: number;
  /** Frames that were ready while another one was sent. */
  waited: number;
  /** Frames that were destroyed; their time on the wire is in `busyUs`. */
  destroyed: number;
  /** How often a node went off the bus. */
  busOffs: number;
}

const CHUNK_BYTES = 64 * 1024;
/** A frame, or an error frame and what became of the controller. */
const LINES_AT_ONCE_MAX = 3;
const STEP_US = 10_000;
/** The receiver's interrupt comes this much after the frame's end, at most. */
const LATENCY_US_MAX = 12;
/** Identifiers that can be sent to the bus from outside: more than testers need. */
const OUTSIDE_IDS_MAX = 32;

/**
 * A vehicle's CAN bus as `candump -L` text: cyclic messages with jitter and crystals that drift, event messages when
 * something changes, a control unit that answers a tester, one frame at a time on the wire for as long as its bits with
 * their stuff bits take, the lowest identifier first where several wait. A pure function of vehicle and options, and of
 * what is sent to it from outside.
 */
export class VehicleBus {
  readonly counters: BusCounters = { frames: 0, busyUs: 0, waited: 0, destroyed: 0, busOffs: 0 };
  /** By priority. */
  private readonly senders: BusSender[];
  private readonly eventSenders: readonly MessageSender[];
  private readonly outside = new Map<number, FrameQueue>();
  private readonly unit: DiagnosedUnit;
  private readonly tester: Tester | undefined;
  /** Undefined where nothing ever goes wrong. */
  readonly disturbances: Disturbances | undefined;
  private readonly power: NetworkPower | undefined;
  private readonly errorFrames: ErrorFrames | undefined;
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
    { seed, startUs, interfaceName = 'can0', firmware = {} }: VehicleBusOptions,
  ) {
    const prng = new Prng(seed, 20);
    this.prng = prng;
    this.startUs = startUs;
    this.bitUs = 1e6 / network.bitrate;
    const rows = Array.from({ length: HISTORY_STEPS }, () => Float64Array.from(vehicle.values));
    this.history = { rows, newest: 0 };
    const messages = [...network.messages]
      .sort((a, b) => priorityOf(a) - priorityOf(b))
      .map((spec) => new MessageSender(spec, this.history, interfaceName, prng));
    this.eventSenders = messages.filter(({ trigger }) => trigger >= 0);
    const extended = network.messages.some((message) => message.extended);
    const [node] = Object.keys(network.nodes);
    this.unit = new DiagnosedUnit(
      { seed, values: vehicle.values, vin: vinOf(seed) },
      { extended, node, interfaceName },
      (data, endUs) => this.tester?.take(data, endUs),
    );
    if (firmware.diagnosticsUs !== undefined) {
      this.tester = new Tester(firmware.diagnosticsUs, { extended, interfaceName }, (id, data, endUs) =>
        this.unit.take(id, extended, data, endUs),
      );
    }
    if (firmware.disturbances) {
      const nodes = Object.keys(network.nodes);
      this.disturbances = new Disturbances(seed, nodes, this.bitUs, firmware.disturbances);
      const own = this.disturbances.nodes.get(GATEWAY)!;
      this.errorFrames = new ErrorFrames(this.lines, interfaceName, own);
    }
    if (firmware.ignition)
      this.power = new NetworkPower(vehicle, firmware.ignition, network, { seed, interfaceName });
    const onRequest = [this.unit.queue, ...(this.tester?.queues ?? [])];
    this.senders = [...messages, ...onRequest, ...(this.power?.management ?? [])];
    this.senders.sort((a, b) => priorityOf(a) - priorityOf(b));
    this.power?.start(this.senders);
  }

  /** A frame that somebody outside sends at `elapsedUs`; it takes its turn on the wire, and isn't in the text. */
  hear(id: number, extended: boolean, data: Uint8Array, elapsedUs: number): void {
    const key = extended ? id + 2 ** 29 : id;
    let queue = this.outside.get(key);
    if (!queue) {
      if (this.outside.size === OUTSIDE_IDS_MAX) return;
      const onSent = (sent: Uint8Array, endUs: number): void => this.unit.take(id, extended, sent, endUs);
      queue = new FrameQueue({ id, extended, node: '', onSent });
      this.outside.set(key, queue);
      this.senders.push(queue);
      this.senders.sort((a, b) => priorityOf(a) - priorityOf(b));
    }
    queue.push(data, Math.max(elapsedUs, this.freeUs));
  }

  /**
   * Text of the next frames that begin before `elapsedUs` after the start, at most 64 KiB and whole lines; empty where
   * there are none left. The bytes belong to the caller.
   */
  next(elapsedUs: number): Uint8Array {
    const out = this.chunk;
    let at = 0;
    while (at <= CHUNK_BYTES - LINES_AT_ONCE_MAX * LINE_BYTES_MAX) {
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
  private arbitrate(): BusSender {
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
    const { vehicle, history, power } = this;
    let woke = false;
    while (!woke && (this.steps + 1) * STEP_US <= untilUs) {
      const nowUs = ++this.steps * STEP_US;
      if (power) woke = power.advanceTo(nowUs, this.senders);
      else vehicle.advanceTo(nowUs);
      history.newest = (history.newest + 1) % HISTORY_STEPS;
      history.rows[history.newest].set(vehicle.values);
      power?.stop(history.rows[history.newest]);
      for (const sender of this.eventSenders)
        woke = sender.look(vehicle.values[sender.trigger], nowUs) || woke;
    }
    return woke;
  }

  private send(sender: BusSender, beginUs: number, out: Uint8Array, place: number): number {
    const { counters } = this;
    const data = sender.prepare();
    const bits = frameBits(sender.id, sender.extended, data);
    const destroyed = this.disturbances?.strike(sender.node, beginUs, bits);
    if (sender.dueUs < this.freeUs) counters.waited++;
    const onWireUs = (destroyed?.wireBits ?? bits) * this.bitUs;
    counters.busyUs += onWireUs;
    this.freeUs = beginUs + onWireUs;
    this.stampUs = Math.max(this.stampUs + 1, Math.floor(this.freeUs + this.prng.unit() * LATENCY_US_MAX));
    const end = this.hearOnWire(sender, data, destroyed, out, place);
    if (destroyed) {
      counters.destroyed++;
      if (destroyed.offUntilUs !== undefined) this.putOff(sender.node, destroyed.offUntilUs);
    } else {
      counters.frames++;
      sender.sent(beginUs, this.freeUs);
    }
    if (this.disturbances) this.suspend(sender.node, this.disturbances);
    return end;
  }

  /** What the listener's interface tells of it, written behind `place`. */
  private hearOnWire(
    { head, extended }: BusSender,
    data: Uint8Array,
    destroyed: Destroyed | undefined,
    out: Uint8Array,
    place: number,
  ): number {
    const { errorFrames } = this;
    const timeUs = this.startUs + this.stampUs;
    let at = place;
    if (errorFrames) {
      if (destroyed && !errorFrames.isDeaf)
        return errorFrames.destroyed(out, at, timeUs, destroyed, extended);
      at = errorFrames.state(out, at, timeUs);
      if (errorFrames.isDeaf) return at;
    }
    return head.length > 0 && !destroyed ? this.lines.write(out, at, timeUs, head, data) : at;
  }

  private putOff(node: string, untilUs: number): void {
    this.counters.busOffs++;
    for (const sender of this.senders) if (sender.node === node) sender.drop(untilUs);
  }

  /** A node that is error-passive lets others go first behind a frame of its own. */
  private suspend(node: string, disturbances: Disturbances): void {
    const untilUs = this.freeUs + disturbances.suspendBits(node) * this.bitUs;
    if (untilUs === this.freeUs) return;
    for (const sender of this.senders) {
      if (sender.node === node) sender.dueUs = Math.max(sender.dueUs, untilUs);
    }
  }
}

const priorityOf = ({ id, extended }: { id: number; extended?: boolean }): number =>
  arbitrationPriority(id, extended === true);

import { lineHead } from '../candump-line.js';
import { quantity } from '../physics/quantities.js';
import type { Prng } from '../prng.js';
import type { MessageSpec } from './description.js';
import { MessageEncoder, type History } from './encoder.js';

/** Something that puts frames of one identifier on a bus. Times are µs since the start. */
export interface BusSender {
  readonly id: number;
  readonly extended: boolean;
  /** The control unit that it is a part of. */
  readonly node: string;
  /** What comes before the data in the text; empty where the frame is another's, which hears itself. */
  readonly head: Uint8Array;
  /** When it is ready to send; Infinity while it has nothing to say. */
  dueUs: number;
  /** Data of the frame that it sends now; the same until `sent`, or until it is dropped. */
  prepare(): Uint8Array;
  /** Its frame was on the wire, without an error. */
  sent(beginUs: number, endUs: number): void;
  /** Its controller is off the bus until then: what it had to send is gone. */
  drop(untilUs: number): void;
  /** Its control unit has power from now on. */
  wake(atUs: number): void;
  /** It says nothing from now on until it is woken. */
  rest(atUs: number): void;
}

const CLOCK_ERROR = 60e-6; // ECU crystals
/** An event message isn't repeated faster, whatever changes. */
const EVENT_GAP_US = 20_000;

/** A message of the network: cyclic with jitter and a crystal that drifts, and at once when its quantity changes. */
export class MessageSender implements BusSender {
  readonly id: number;
  readonly extended: boolean;
  readonly node: string;
  readonly head: Uint8Array;
  dueUs: number;
  /** Row of the quantity that makes it speak, or -1. */
  readonly trigger: number;
  private readonly encoder: MessageEncoder;
  private readonly periodUs: number;
  private readonly jitterUs: number;
  private readonly wakesUs: number;
  private lastValue: number;
  private lastSentUs = 0;
  /** When its next cycle begins. */
  private cycleUs: number;
  private awakeUs: number;
  private restsUs = Infinity;
  private isPrepared = false;

  constructor(
    spec: MessageSpec,
    private readonly history: History,
    interfaceName: string,
    private readonly prng: Prng,
  ) {
    this.id = spec.id;
    this.extended = spec.extended === true;
    this.node = spec.sender;
    this.periodUs = spec.cycleMs * 1000 * (1 + prng.gauss() * CLOCK_ERROR);
    this.wakesUs = (spec.wakesMs ?? 0) * 1000;
    this.awakeUs = this.wakesUs;
    this.cycleUs = this.wakesUs + prng.between(0, Math.min(this.periodUs, 1e6));
    this.dueUs = this.cycleUs;
    this.encoder = new MessageEncoder(spec, prng);
    this.head = lineHead(interfaceName, spec.id, spec.extended ? 8 : 3, '#');
    this.jitterUs = 15 + spec.cycleMs * 3;
    this.trigger = spec.event ? quantity[spec.event] : -1;
    this.lastValue = this.trigger < 0 ? 0 : history.rows[history.newest][this.trigger];
  }

  prepare(): Uint8Array {
    if (!this.isPrepared) this.encoder.encode(this.history);
    this.isPrepared = true;
    return this.encoder.data;
  }

  sent(beginUs: number, endUs: number): void {
    this.isPrepared = false;
    this.lastSentUs = beginUs;
    this.nextCycle(beginUs, endUs);
  }

  drop(untilUs: number): void {
    this.isPrepared = false;
    this.awakeUs = Math.max(this.awakeUs, untilUs);
    this.dueUs = Math.max(this.dueUs, untilUs);
    if (this.dueUs >= this.restsUs) this.dueUs = Infinity;
  }

  /** Looks at its quantity after a step of physics; true where that made it ready to send. */
  look(value: number, nowUs: number): boolean {
    if (value === this.lastValue || nowUs < this.awakeUs || nowUs >= this.restsUs) return false;
    if (nowUs - this.lastSentUs < EVENT_GAP_US || this.dueUs <= nowUs) return false;
    this.lastValue = value;
    this.dueUs = nowUs + this.prng.between(100, 900); // the ECU's own loop
    return true;
  }

  wake(atUs: number): void {
    this.restsUs = Infinity;
    this.awakeUs = atUs + this.wakesUs;
    this.cycleUs = this.awakeUs + this.prng.between(0, Math.min(this.periodUs, 1e6));
    this.dueUs = this.cycleUs;
  }

  rest(atUs: number): void {
    this.restsUs = atUs;
    if (this.dueUs >= atUs) this.dueUs = Infinity;
  }

  private nextCycle(beginUs: number, endUs: number): void {
    while (this.cycleUs <= beginUs) this.cycleUs += this.periodUs;
    this.dueUs = Math.max(endUs, this.cycleUs + Math.abs(this.prng.gauss()) * this.jitterUs);
    if (this.dueUs >= this.restsUs) this.dueUs = Infinity;
  }
}

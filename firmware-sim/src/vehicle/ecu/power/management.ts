import { createHash } from 'node:crypto';
import { lineHead } from '../../candump-line.js';
import type { Prng } from '../../prng.js';
import type { MessageSpec, NetworkSpec } from '../description.js';
import type { BusSender } from '../sender.js';

/* AUTOSAR CAN network management: identifiers, and bits of the control bit vector */
const NM_BASE = 0x500;
const REPEAT_REQUEST = 0x01;
const ACTIVE_WAKEUP = 0x10;
const NM_CYCLE_US = 500_000;
/** In the repeat message state, so that everybody hears that everybody is there. */
const NM_REPEAT_US = 1.6e6;
const NM_FAST_US = 100_000;
/** SAE J1939-81: address claimed, to all. */
const ADDRESS_CLAIMED = 0x18ee_ff00;
/** CiA 301: the boot-up message is a heartbeat of state 0. */
const HEARTBEAT = 0x700;
/** A control unit's software takes so long until it has said that it is there; its messages come behind that. */
const STARTS_US = [5_000, 45_000] as const;

/** How the nodes of a network tell each other that they are there. */
type Style = 'autosar' | 'j1939' | 'canopen';

function styleOf({ messages }: NetworkSpec): Style {
  if (messages.some(({ extended }) => extended)) return 'j1939';
  return messages.some(isHeartbeat) ? 'canopen' : 'autosar';
}

const isHeartbeat = ({ id, length, extended }: MessageSpec): boolean =>
  !extended && length === 1 && id > HEARTBEAT && id < HEARTBEAT + 0x80;

/** A network with its management's messages, as a database describes it; other styles' are known to all tools. */
export function describedNetwork(network: NetworkSpec): NetworkSpec {
  if (styleOf(network) !== 'autosar') return network;
  const bit = { length: 1, factor: 1, offset: 0, unit: '', from: 0 };
  const management = Object.keys(network.nodes).map((sender, i) => ({
    name: `${sender}NetworkManagement`,
    id: NM_BASE + i,
    sender,
    length: 8,
    cycleMs: NM_CYCLE_US / 1000,
    comment: `That ${sender} needs the network; with an ignition only.`,
    signals: [
      { ...bit, name: `${sender}SourceNode`, start: 7, length: 8 },
      { ...bit, name: `${sender}RepeatMessage`, start: 8 },
      { ...bit, name: `${sender}ActiveWakeup`, start: 12 },
    ],
  }));
  return { ...network, messages: [...network.messages, ...management] };
}

/** Says for one node that it is there: once after its start, or as long as it needs the network. */
export class ManagementSender implements BusSender {
  readonly head: Uint8Array;
  dueUs = Infinity;
  private wokeUs = 0;
  private restsUs = Infinity;

  constructor(
    readonly id: number,
    readonly extended: boolean,
    readonly node: string,
    interfaceName: string,
    private readonly data: Uint8Array,
    private readonly prng: Prng,
    /** False: once after each start. */
    private readonly isCyclic: boolean,
    /** When the node starts, behind the wake-up. */
    private readonly wakesUs: number,
  ) {
    this.head = lineHead(interfaceName, id, extended ? 8 : 3, '#');
  }

  prepare(): Uint8Array {
    if (this.isCyclic) {
      const repeats = this.dueUs - this.wokeUs < NM_REPEAT_US;
      this.data[1] = (this.wakesUs === 0 ? ACTIVE_WAKEUP : 0) | (repeats ? REPEAT_REQUEST : 0);
    }
    return this.data;
  }

  sent(_beginUs: number, endUs: number): void {
    const cycleUs = endUs - this.wokeUs < NM_REPEAT_US ? NM_FAST_US : NM_CYCLE_US;
    const nextUs = this.isCyclic ? endUs + cycleUs + this.prng.between(0, 2000) : Infinity;
    this.dueUs = nextUs < this.restsUs ? nextUs : Infinity;
  }

  drop(untilUs: number): void {
    this.dueUs = Math.max(this.dueUs, untilUs);
    if (this.dueUs >= this.restsUs) this.dueUs = Infinity;
  }

  wake(atUs: number): void {
    this.restsUs = Infinity;
    this.wokeUs = atUs + this.wakesUs + this.prng.between(...STARTS_US);
    this.dueUs = this.wokeUs;
  }

  rest(atUs: number): void {
    this.restsUs = atUs;
    if (this.dueUs >= atUs) this.dueUs = Infinity;
  }
}

/** Of each node of a network; the first to wake up wakes the others. */
export function managementSenders(
  network: NetworkSpec,
  interfaceName: string,
  prng: Prng,
): ManagementSender[] {
  const style = styleOf(network);
  const wakesMs = (node: string): number =>
    Math.min(...network.messages.filter(({ sender }) => sender === node).map(({ wakesMs: ms = 0 }) => ms));
  const nodes = Object.keys(network.nodes).filter((node) => Number.isFinite(wakesMs(node)));
  const firstMs = Math.min(...nodes.map(wakesMs));
  return nodes.map((node) => {
    const own = network.messages.filter(({ sender }) => sender === node);
    // Its messages come at `wakesMs` or later; this comes before them.
    const wakesUs = Math.max(0, (wakesMs(node) - firstMs) * 1000 - STARTS_US[1] / 2);
    const make = (id: number, extended: boolean, data: readonly number[]): ManagementSender =>
      new ManagementSender(
        id,
        extended,
        node,
        interfaceName,
        Uint8Array.from(data),
        prng,
        style === 'autosar',
        wakesUs,
      );
    if (style === 'j1939') {
      const name = createHash('sha256').update(`${network.name} ${node}`).digest().subarray(0, 8);
      return make(ADDRESS_CLAIMED + (own[0].id & 0xff), true, [...name]);
    }
    if (style === 'canopen') return make(own.find(isHeartbeat)?.id ?? HEARTBEAT, false, [0]);
    const i = Object.keys(network.nodes).indexOf(node);
    return make(NM_BASE + i, false, [i, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
  });
}

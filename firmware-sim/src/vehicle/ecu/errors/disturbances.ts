import type { BusDisturbances } from '../../firmware.js';
import { Prng } from '../../prng.js';
import { FaultConfinement } from './fault-confinement.js';

/** The node that makes the recording. */
export const GATEWAY = 'GATEWAY';
/** Behind the CRC: delimiter, acknowledgement, end of frame, interframe space. */
const TAIL_BITS = 13;
const FLAG_BITS = 6;
const DELIMITER_BITS = 8;
const INTERFRAME_BITS = 3;
const SUSPEND_BITS = 8;
/** 128 occurrences of 11 recessive bits. */
const RECOVERY_BITS = 128 * 11;

/** A frame that was destroyed. */
export interface Destroyed {
  /** Bits of it that were sent, and the same with error flags, delimiter and interframe space. */
  sentBits: number;
  wireBits: number;
  /** When its sender comes back, where that took it off the bus; µs since the start. */
  offUntilUs: number | undefined;
}

/** What destroys frames on a bus, and what all its nodes make of it. */
export class Disturbances {
  /** By name: the network's, and the one that listens. */
  readonly nodes: ReadonlyMap<string, FaultConfinement>;
  private readonly prng: Prng;
  private readonly confinements: readonly FaultConfinement[];

  constructor(
    seed: number,
    nodes: readonly string[],
    private readonly bitUs: number,
    private readonly settings: BusDisturbances,
  ) {
    this.prng = new Prng(seed, 60);
    this.confinements = [...nodes, GATEWAY].map((name) => new FaultConfinement(name));
    this.nodes = new Map(this.confinements.map((one) => [one.node, one]));
  }

  /** Decides about a frame of so many bits; undefined where it comes through. */
  strike(node: string, beginUs: number, bits: number): Destroyed | undefined {
    const sender = this.nodes.get(node);
    this.letRecover(beginUs);
    const fault = this.settings.faults.find(
      (one) => one.node === node && beginUs >= one.atUs && beginUs < one.atUs + one.forUs,
    );
    const isStruck =
      (fault !== undefined && this.prng.chance(fault.share)) ||
      (this.settings.bitErrorRate > 0 && this.prng.chance(1 - (1 - this.settings.bitErrorRate) ** bits));
    if (!isStruck) {
      this.wentWell(sender);
      return undefined;
    }
    const wasPassive = sender?.isPassive === true;
    const sentBits = 1 + this.prng.below(bits - TAIL_BITS);
    // Others answer an error flag with theirs; a passive one they only notice when it is through.
    const flagBits = FLAG_BITS + (wasPassive ? FLAG_BITS : this.prng.below(FLAG_BITS + 1));
    const wireBits = sentBits + flagBits + DELIMITER_BITS + INTERFRAME_BITS;
    for (const one of this.confinements) if (one !== sender && one.state !== 'bus-off') one.failedReceiving();
    if (!sender?.failedSending()) return { sentBits, wireBits, offUntilUs: undefined };
    const restartUs = fault?.restartUs ?? 0;
    sender.offUntilUs = beginUs + wireBits * this.bitUs + Math.max(restartUs, RECOVERY_BITS * this.bitUs);
    return { sentBits, wireBits, offUntilUs: sender.offUntilUs };
  }

  /** How long a node must wait behind a frame of its own before the next one, bits. */
  suspendBits(node: string): number {
    return this.nodes.get(node)?.isPassive ? SUSPEND_BITS : 0;
  }

  private wentWell(sender: FaultConfinement | undefined): void {
    for (const one of this.confinements) {
      if (one === sender) one.sent();
      else if (one.state !== 'bus-off') one.received();
    }
  }

  private letRecover(nowUs: number): void {
    for (const one of this.confinements) {
      if (one.state === 'bus-off' && nowUs >= one.offUntilUs) one.recover();
    }
  }
}

import { CAN_EFF_FLAG, CAN_EFF_MASK, CAN_ERR_FLAG, CAN_RTR_FLAG, CAN_SFF_MASK } from '@fleetlog/shared/can';
import type { Message } from '../dbc/model.js';

/** Identifiers remembered; a bus has some hundred. */
const rememberedMax = 1 << 15;
const tableSize = 1 << 16;
const none = -1;

/**
 * Parameter group number of a 29-bit identifier (SAE J1939-21, 5.2): the priority and the source address are left out,
 * and below PF 240 the destination too.
 */
export function pgnOf(id: number): number {
  const pgn = (id >>> 8) & 0x3_ffff;
  return (pgn & 0xff00) < 0xf000 ? pgn & 0x3_ff00 : pgn;
}

/** Finds the message of a frame by its identifier; by its parameter group where no identifier is the same. */
export class Matcher {
  private readonly standard = new Int32Array(CAN_SFF_MASK + 1).fill(none);
  private readonly exact = new Map<number, number>();
  private readonly groups = new Map<number, number>();
  /** Answers for 29-bit identifiers: hash table with linear probing; 0 is free, for all keys have the EFF bit. */
  private readonly keys = new Uint32Array(tableSize);
  private readonly found = new Int32Array(tableSize);
  private remembered = 0;

  /** Of several messages that match, the first counts. */
  constructor(messages: readonly Pick<Message, 'id' | 'isExtended' | 'format'>[]) {
    for (const [index, { id, isExtended, format }] of messages.entries()) {
      if (!isExtended) {
        if (this.standard[id] === none) this.standard[id] = index;
        continue;
      }
      if (!this.exact.has(id)) this.exact.set(id, index);
      if (format === 'j1939' && !this.groups.has(pgnOf(id))) this.groups.set(pgnOf(id), index);
    }
  }

  /** Index of the message; -1 for a frame of none, a remote frame or an error frame. `canId` is a `canid_t`. */
  find(canId: number): number {
    if (canId <= CAN_SFF_MASK) return this.standard[canId];
    if ((canId & (CAN_RTR_FLAG | CAN_ERR_FLAG)) !== 0 || canId < CAN_EFF_FLAG) return none;
    let at = Math.imul(canId, 0x9e37_79b1) >>> 16;
    for (;;) {
      const key = this.keys[at];
      if (key === canId) return this.found[at];
      if (key === 0) return this.remember(canId, at);
      at = (at + 1) & (tableSize - 1);
    }
  }

  private remember(canId: number, at: number): number {
    const id = canId & CAN_EFF_MASK;
    const index = this.exact.get(id) ?? this.groups.get(pgnOf(id)) ?? none;
    if (this.remembered >= rememberedMax) {
      this.keys.fill(0);
      this.remembered = 0;
      return index;
    }
    this.remembered++;
    this.keys[at] = canId;
    this.found[at] = index;
    return index;
  }
}

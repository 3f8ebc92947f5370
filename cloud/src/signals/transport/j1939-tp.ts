import type { Payloads, TransportCounters } from './payloads.js';

/** SAE J1939-21, 5.10: control bytes of TP.CM. */
const REQUEST_TO_SEND = 16;
const BROADCAST_ANNOUNCE = 32;
const ABORT = 255;

const BYTES_PER_PACKET = 7;
const PAYLOAD_BYTES_MAX = 255 * BYTES_PER_PACKET;
/** T2: longest wait for a packet. */
const TIMEOUT_US = 1_250_000;
/** Messages under way at a time, of all senders. */
const sessionsMax = 256;
const PRIORITY = 6;

interface Session {
  pgn: number;
  bytes: Uint8Array;
  packets: number;
  /** Number of the packet that comes next, from 1. */
  next: number;
  lastUs: number;
}

/**
 * Puts the messages of the J1939 transport protocol together: broadcast (BAM) and between two nodes (CMDT). They come
 * out under the identifier that a single frame of the parameter group would have.
 */
export class J1939Receiver {
  /** By destination and source address. */
  private readonly sessions = new Map<number, Session>();

  constructor(
    /** Parameter groups that are wanted. */
    private readonly groups: ReadonlySet<number>,
    private readonly payloads: Payloads,
    private readonly counters: TransportCounters,
  ) {}

  /** A TP.CM frame (PGN 0xEC00). `id` has 29 bits. */
  control(timeUs: number, id: number, data: Uint8Array, start: number, length: number): void {
    if (length < 8) return;
    const key = id & 0xffff;
    const kind = data[start];
    if (kind === ABORT) {
      // Either side may abort: the receiver's frame has the addresses the other way round.
      this.giveUp(key);
      this.giveUp(((key & 0xff) << 8) | (key >> 8));
      return;
    }
    if (kind !== REQUEST_TO_SEND && kind !== BROADCAST_ANNOUNCE) return;
    this.giveUp(key);
    const bytes = data[start + 1] | (data[start + 2] << 8);
    const packets = data[start + 3];
    const pgn = data[start + 5] | (data[start + 6] << 8) | ((data[start + 7] & 3) << 16);
    if (!this.groups.has(pgn)) return;
    if (bytes <= 8 || bytes > PAYLOAD_BYTES_MAX || packets !== Math.ceil(bytes / BYTES_PER_PACKET)) {
      this.counters.impossible++;
      return;
    }
    for (const oldest of this.sessions.keys()) {
      if (this.sessions.size < sessionsMax) break;
      this.giveUp(oldest);
    }
    this.sessions.set(key, { pgn, bytes: new Uint8Array(bytes), packets, next: 1, lastUs: timeUs });
  }

  /** A TP.DT frame (PGN 0xEB00). */
  packet(timeUs: number, id: number, data: Uint8Array, start: number, length: number): void {
    const key = id & 0xffff;
    const session = this.sessions.get(key);
    if (!session || length < 2) return;
    const number = data[start];
    if (number < session.next && number > 0) return; // sent again
    if (timeUs - session.lastUs > TIMEOUT_US || number !== session.next) {
      this.giveUp(key);
      return;
    }
    const at = (number - 1) * BYTES_PER_PACKET;
    const part = Math.min(length - 1, BYTES_PER_PACKET, session.bytes.length - at);
    session.bytes.set(data.subarray(start + 1, start + 1 + part), at);
    session.lastUs = timeUs;
    if (session.next++ < session.packets) return;
    this.sessions.delete(key);
    const isToOne = (session.pgn & 0xff00) < 0xf000;
    const destination = isToOne ? key & 0xff00 : 0;
    const whole = ((PRIORITY << 26) | (session.pgn << 8) | destination | (key & 0xff)) >>> 0;
    this.payloads.add(timeUs, whole, true, session.bytes, session.bytes.length);
  }

  private giveUp(key: number): void {
    if (this.sessions.delete(key)) this.counters.incomplete++;
  }
}

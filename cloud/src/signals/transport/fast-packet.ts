import type { Payloads, TransportCounters } from './payloads.js';

/** NMEA 2000: the first frame has 6 bytes behind counter and length, the others have 7, of at most 32. */
const FIRST_BYTES = 6;
const NEXT_BYTES = 7;
const PAYLOAD_BYTES_MAX = FIRST_BYTES + 31 * NEXT_BYTES;
/** Longest wait for a frame. */
const TIMEOUT_US = 750_000;
/** Messages under way at a time, of all senders. */
const sessionsMax = 256;

interface Session {
  bytes: Uint8Array;
  received: number;
  /** Number of the frame that comes next. */
  next: number;
  lastUs: number;
}

/** Puts the fast packets of NMEA 2000 together. A sender may have eight of one parameter group under way. */
export class FastPacketReceiver {
  /** By identifier, which names the sender, and number of the message. */
  private readonly sessions = new Map<number, Session>();

  constructor(
    private readonly payloads: Payloads,
    private readonly counters: TransportCounters,
  ) {}

  /** `id` has 29 bits. */
  frame(timeUs: number, id: number, data: Uint8Array, start: number, length: number): void {
    if (length < 2) return;
    const number = data[start] & 31;
    const key = 8 * id + (data[start] >> 5);
    const session = number === 0 ? this.begin(key, timeUs, data[start + 1]) : this.sessions.get(key);
    if (!session) return; // impossible, or of a message whose begin wasn't recorded
    if (number !== session.next || timeUs - session.lastUs > TIMEOUT_US) {
      this.giveUp(key);
      return;
    }
    const head = number === 0 ? 2 : 1;
    const part = Math.min(length - head, session.bytes.length - session.received);
    session.bytes.set(data.subarray(start + head, start + head + part), session.received);
    session.received += part;
    session.next++;
    session.lastUs = timeUs;
    if (session.received < session.bytes.length) return;
    this.sessions.delete(key);
    this.payloads.add(timeUs, id, true, session.bytes, session.bytes.length);
  }

  private begin(key: number, timeUs: number, bytes: number): Session | undefined {
    this.giveUp(key);
    if (bytes === 0 || bytes > PAYLOAD_BYTES_MAX) {
      this.counters.impossible++;
      return undefined;
    }
    for (const oldest of this.sessions.keys()) {
      if (this.sessions.size < sessionsMax) break;
      this.giveUp(oldest);
    }
    const session = { bytes: new Uint8Array(bytes), received: 0, next: 0, lastUs: timeUs };
    this.sessions.set(key, session);
    return session;
  }

  private giveUp(key: number): void {
    if (this.sessions.delete(key)) this.counters.incomplete++;
  }
}

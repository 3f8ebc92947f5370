import type { FrameQueue } from '../frame-queue.js';

/* ISO 15765-2: kinds of frames, and what a flow control says */
const SINGLE = 0;
const FIRST = 1;
const CONSECUTIVE = 2;
const FLOW = 3;
const CONTINUE = 0;
const WAIT = 1;
/** N_Bs and N_Cr. */
const TIMEOUT_US = 1e6;
const MESSAGE_BYTES_MAX = 4095;
/** How long an end takes to let the other one go on. */
const FLOW_DELAY_US = 400;

export interface IsoTpOptions {
  queue: FrameQueue;
  /** What fills a frame up. */
  padding: number;
  /** What this end asks of the other in its flow control: frames until the next one (0: all), and the least pause. */
  blockSize: number;
  separationMs: number;
  /** A whole message came in. */
  onMessage: (payload: Uint8Array, atUs: number) => void;
  /** The last frame of a message went out. */
  onSent?: (atUs: number) => void;
}

interface Outgoing {
  payload: Uint8Array;
  /** Bytes that were given to the queue, and the next frame's number. */
  at: number;
  number: number;
  /** Frames until the next flow control; Infinity: it asked for none. */
  left: number;
  separationUs: number;
  waitsSinceUs: number | undefined;
}

/** One end of an ISO-TP connection over classic CAN: normal addressing, frames of 8 bytes, messages up to 4,095. */
export class IsoTpEnd {
  private outgoing: Outgoing | undefined;
  private lastFrame: Uint8Array | undefined;
  private incoming:
    { payload: Uint8Array; at: number; number: number; block: number; lastUs: number } | undefined;

  constructor(private readonly options: IsoTpOptions) {}

  /** Sends a message from `dueUs` on; an earlier one that isn't through is given up. */
  send(payload: Uint8Array, dueUs: number): void {
    this.cancel();
    if (payload.length <= 7) {
      this.push([payload.length, ...payload], dueUs);
      this.outgoing = { ...fresh(payload), at: payload.length };
      return;
    }
    this.push(
      [(FIRST << 4) | (payload.length >> 8), payload.length & 0xff, ...payload.subarray(0, 6)],
      dueUs,
    );
    this.outgoing = { ...fresh(payload), at: 6 };
  }

  /** Gives up what is being sent. */
  cancel(): void {
    if (this.lastFrame) this.options.queue.cancel(this.lastFrame);
    this.lastFrame = undefined;
    this.outgoing = undefined;
  }

  /** The queue's `onSent`. */
  frameSent(data: Uint8Array, atUs: number): void {
    const { outgoing } = this;
    if (!outgoing || data !== this.lastFrame) return; // a flow control
    this.lastFrame = undefined;
    if (outgoing.at >= outgoing.payload.length) {
      this.outgoing = undefined;
      this.options.onSent?.(atUs);
    } else if (data[0] >> 4 === FIRST || --outgoing.left === 0) {
      outgoing.waitsSinceUs = atUs;
    } else {
      this.pushNext(outgoing, atUs + outgoing.separationUs);
    }
  }

  /** Takes a frame of the other end; what doesn't fit is left aside, as the standard has it. */
  take(data: Uint8Array, atUs: number): void {
    if (data.length === 0) return;
    switch (data[0] >> 4) {
      case SINGLE: {
        const bytes = data[0] & 15;
        if (bytes === 0 || bytes >= data.length) return;
        this.incoming = undefined;
        this.options.onMessage(data.slice(1, 1 + bytes), atUs);
        return;
      }
      case FIRST:
        return this.takeFirst(data, atUs);
      case CONSECUTIVE:
        return this.takeConsecutive(data, atUs);
      case FLOW:
        return this.takeFlow(data, atUs);
    }
  }

  private takeFirst(data: Uint8Array, atUs: number): void {
    const bytes = ((data[0] & 15) << 8) | data[1];
    if (data.length < 8 || bytes < 8 || bytes > MESSAGE_BYTES_MAX) return;
    const payload = new Uint8Array(bytes);
    payload.set(data.subarray(2, 8));
    this.incoming = { payload, at: 6, number: 1, block: 0, lastUs: atUs };
    this.allow(atUs);
  }

  private takeConsecutive(data: Uint8Array, atUs: number): void {
    const { incoming } = this;
    if (!incoming) return;
    const { payload, at, number, lastUs } = incoming;
    if ((data[0] & 15) !== number || atUs - lastUs > TIMEOUT_US) {
      this.incoming = undefined;
      return;
    }
    payload.set(data.subarray(1, Math.min(data.length, 1 + payload.length - at)), at);
    incoming.at += data.length - 1;
    incoming.number = (number + 1) & 15;
    incoming.lastUs = atUs;
    if (incoming.at >= payload.length) {
      this.incoming = undefined;
      this.options.onMessage(payload, atUs);
    } else if (++incoming.block === this.options.blockSize) {
      incoming.block = 0;
      this.allow(atUs);
    }
  }

  private takeFlow(data: Uint8Array, atUs: number): void {
    const { outgoing } = this;
    if (outgoing?.waitsSinceUs === undefined || data.length < 3) return;
    const late = atUs - outgoing.waitsSinceUs > TIMEOUT_US;
    const status = data[0] & 15;
    if (!late && status === WAIT) {
      outgoing.waitsSinceUs = atUs;
    } else if (late || status !== CONTINUE) {
      this.outgoing = undefined;
    } else {
      outgoing.waitsSinceUs = undefined;
      outgoing.left = data[1] === 0 ? Infinity : data[1];
      outgoing.separationUs = separationUs(data[2]);
      this.pushNext(outgoing, atUs + FLOW_DELAY_US);
    }
  }

  private allow(atUs: number): void {
    const { queue, blockSize, separationMs, padding } = this.options;
    const data = new Uint8Array(8).fill(padding);
    data.set([(FLOW << 4) | CONTINUE, blockSize, separationMs]);
    queue.push(data, atUs + FLOW_DELAY_US);
  }

  private pushNext(outgoing: Outgoing, dueUs: number): void {
    const part = outgoing.payload.subarray(outgoing.at, outgoing.at + 7);
    this.push([(CONSECUTIVE << 4) | outgoing.number, ...part], dueUs);
    outgoing.at += part.length;
    outgoing.number = (outgoing.number + 1) & 15;
  }

  private push(bytes: readonly number[], dueUs: number): void {
    const data = new Uint8Array(8).fill(this.options.padding);
    data.set(bytes);
    this.lastFrame = data;
    this.options.queue.push(data, dueUs);
  }
}

const fresh = (payload: Uint8Array): Outgoing => ({
  payload,
  at: 0,
  number: 1,
  left: Infinity,
  separationUs: 0,
  waitsSinceUs: undefined,
});

/** STmin: 0 to 127 ms, or 0xF1 to 0xF9 for 100 to 900 µs; what is reserved counts as the longest. */
function separationUs(code: number): number {
  if (code <= 0x7f) return code * 1000;
  return code >= 0xf1 && code <= 0xf9 ? (code - 0xf0) * 100 : 127_000;
}

import type { TransportCounters } from './payloads.js';

/** ISO 15765-2, 9.6: types in the high half of the first byte. */
const SINGLE = 0;
const FIRST = 1;
const CONSECUTIVE = 2;

/** With 12-bit lengths; longer messages are programming of control units, not signals. */
const PAYLOAD_BYTES_MAX = 4095;
/** N_Cr: longest wait for a consecutive frame. */
const TIMEOUT_US = 1_000_000;

/** Receives the whole payloads of one sender; `bytes` holds until the next frame. */
export type TakePayload = (timeUs: number, bytes: Uint8Array, length: number) => void;

/**
 * Puts the messages of one sender together (ISO 15765-2:2016), of classic frames and of those of CAN FD. Flow control goes
 * the other way and isn't needed to listen.
 */
export class IsoTpReceiver {
  private bytes = new Uint8Array(64);
  /** Bytes that are to come; 0 where no message is under way. */
  private expected = 0;
  private received = 0;
  private sequence = 0;
  /** Bytes that each frame but the last has behind its number. */
  private partBytes = 0;
  private lastUs = 0;

  constructor(
    private readonly take: TakePayload,
    private readonly counters: TransportCounters,
    /** Bytes of an address that each frame has before what it is given here. */
    private readonly addressBytes = 0,
  ) {}

  /** A frame's data are `data[start … start + length)`, behind the address. */
  frame(timeUs: number, data: Uint8Array, start: number, length: number): void {
    if (length === 0) return;
    const first = data[start];
    switch (first >> 4) {
      case SINGLE:
        this.single(timeUs, data, start, length);
        return;
      case FIRST:
        this.first(timeUs, data, start, length);
        return;
      case CONSECUTIVE:
        this.consecutive(timeUs, first & 15, data.subarray(start + 1, start + length));
    }
  }

  private single(timeUs: number, data: Uint8Array, start: number, length: number): void {
    this.giveUp();
    // CAN FD: a length of 0 means that the next byte has it.
    const isLong = data[start] === 0 && length + this.addressBytes > 8;
    const head = isLong ? 2 : 1;
    const bytes = isLong ? data[start + 1] : data[start] & 15;
    if (bytes === 0 || bytes > length - head) {
      this.counters.impossible++;
      return;
    }
    this.begin(bytes);
    this.append(data.subarray(start + head, start + head + bytes));
    this.finish(timeUs);
  }

  private first(timeUs: number, data: Uint8Array, start: number, length: number): void {
    this.giveUp();
    const bytes = length < 2 ? 0 : ((data[start] & 15) << 8) | data[start + 1];
    // 0 announces a length of 32 bits.
    if (length + this.addressBytes < 8 || bytes <= length - 2 || bytes > PAYLOAD_BYTES_MAX) {
      this.counters.impossible++;
      return;
    }
    this.begin(bytes);
    this.append(data.subarray(start + 2, start + length));
    this.sequence = 1;
    this.partBytes = length - 1;
    this.lastUs = timeUs;
  }

  private consecutive(timeUs: number, sequence: number, rest: Uint8Array): void {
    if (this.expected === 0) return; // of a message whose begin wasn't recorded
    const isLate = timeUs - this.lastUs > TIMEOUT_US;
    const isShort = rest.length < Math.min(this.partBytes, this.expected - this.received);
    if (isLate || isShort || sequence !== this.sequence) {
      this.giveUp();
      return;
    }
    this.append(rest);
    this.sequence = (sequence + 1) & 15;
    this.lastUs = timeUs;
    if (this.received === this.expected) this.finish(timeUs);
  }

  private begin(bytes: number): void {
    this.expected = bytes;
    this.received = 0;
    if (this.bytes.length < bytes) this.bytes = new Uint8Array(bytes);
  }

  /** The last frame may be padded. */
  private append(part: Uint8Array): void {
    const length = Math.min(part.length, this.expected - this.received);
    this.bytes.set(part.subarray(0, length), this.received);
    this.received += length;
  }

  private finish(timeUs: number): void {
    const length = this.expected;
    this.expected = 0;
    this.take(timeUs, this.bytes, length);
  }

  private giveUp(): void {
    if (this.expected > 0) this.counters.incomplete++;
    this.expected = 0;
  }
}

/** The same for extended and mixed addressing: the first byte of each frame is an address, and each has messages of its own. */
export class AddressedIsoTpReceiver {
  private readonly receivers: (IsoTpReceiver | undefined)[] = [];

  constructor(
    private readonly take: TakePayload,
    private readonly counters: TransportCounters,
  ) {}

  frame(timeUs: number, data: Uint8Array, start: number, length: number): void {
    if (length === 0) return;
    const receiver = (this.receivers[data[start]] ??= new IsoTpReceiver(this.take, this.counters, 1));
    receiver.frame(timeUs, data, start + 1, length - 1);
  }
}

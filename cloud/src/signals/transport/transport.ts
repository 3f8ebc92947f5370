import { CAN_EFF_MASK, FRAME_FD, type CanFrames } from '@fleetlog/shared/can';
import type { Message } from '../dbc/model.js';
import { Matcher, pgnOf } from '../decode/match.js';
import { obdIdentifiers, splitObd } from '../obd/responses.js';
import { carrierOf, hasAddressByte, hasLengthByte, isIsoTpAlways } from './carriers.js';
import { FastPacketReceiver } from './fast-packet.js';
import { AddressedIsoTpReceiver, IsoTpReceiver, type TakePayload } from './iso-tp.js';
import { J1939Receiver } from './j1939-tp.js';
import { Payloads, type TransportCounters } from './payloads.js';

type Handler = (
  timeUs: number,
  id: number,
  bus: string,
  data: Uint8Array,
  start: number,
  length: number,
) => void;
type Identifier = Pick<Message, 'id' | 'isExtended' | 'format'>;

const control: Identifier = { id: 0x1cec_ff00, isExtended: true, format: 'j1939' };
const packets: Identifier = { id: 0x1ceb_ff00, isExtended: true, format: 'j1939' };

/** Buses of one stream on which messages are put together. */
const busesMax = 16;

/**
 * Puts together what transport protocols have cut into frames, for the messages of a database that need it. Keeps what
 * is under way from call to call, so frames must come in the order of time.
 */
export class Transport {
  readonly counters: TransportCounters = { incomplete: 0, impossible: 0 };
  private payloads = new Payloads();
  private readonly identifiers: Identifier[] = [];
  private readonly handlers: Handler[] = [];
  /** Of each handler, whether frames of CAN FD are for it as well. */
  private readonly takesFd: boolean[] = [];
  private readonly matcher: Matcher;

  constructor(messages: readonly Message[]) {
    const groups = new Set<number>();
    for (const message of messages) {
      const carrier = carrierOf(message);
      if (carrier === 'j1939') groups.add(pgnOf(message.id));
      if (carrier === 'fast-packet') this.addFastPacket(message);
      if (carrier === 'iso-tp') this.addIsoTp(message, message, this.payloadOf(message));
      if (carrier === 'obd') this.addObd(message);
    }
    if (groups.size > 0) this.addJ1939(groups);
    this.matcher = new Matcher(this.identifiers);
  }

  /** Whether any message needs it. */
  get isNeeded(): boolean {
    return this.handlers.length > 0;
  }

  /** Whether frames with this `canid_t` are parts of messages. */
  carries(canId: number): boolean {
    return this.matcher.find(canId) >= 0;
  }

  /** The messages that the frames `[from, to)` complete, as frames; they hold until the next call. */
  collect(frames: CanFrames, from: number, to: number): CanFrames {
    const { id, flags, bus, buses, dataStart, data, timeOffsetUs, baseTimeUs } = frames;
    this.payloads.frames.clear();
    for (let i = from; i < to; i++) {
      const handler = this.matcher.find(id[i]);
      if (handler < 0 || (flags[i] & FRAME_FD && !this.takesFd[handler])) continue;
      const start = dataStart[i];
      const timeUs = baseTimeUs + timeOffsetUs[i];
      const length = dataStart[i + 1] - start;
      this.handlers[handler](timeUs, id[i] & CAN_EFF_MASK, buses[bus[i]], data, start, length);
    }
    return this.payloads.frames;
  }

  private payloadOf(message: Message): TakePayload {
    const { id, isExtended } = message;
    if (!hasLengthByte(message)) {
      return (timeUs, bytes, length) => this.payloads.add(timeUs, id, isExtended, bytes, length);
    }
    const prefixed = new Uint8Array(4096);
    return (timeUs, bytes, length) => {
      prefixed[0] = length;
      prefixed.set(bytes.subarray(0, length), 1);
      this.payloads.add(timeUs, id, isExtended, prefixed, length + 1);
    };
  }

  private addIsoTp(identifier: Identifier, message: Message, take: TakePayload): void {
    const Receiver = hasAddressByte(message) ? AddressedIsoTpReceiver : IsoTpReceiver;
    const receiverOf = perBus(() => new Receiver(take, this.counters));
    const handler: Handler = (timeUs, _id, bus, data, start, length) =>
      receiverOf(bus)?.frame(timeUs, data, start, length);
    this.add(identifier, handler, isIsoTpAlways(message));
  }

  /** From whatever sender, as parameter groups are matched. */
  private addFastPacket({ id, isExtended }: Message): void {
    const receiverOf = perBus(() => new FastPacketReceiver(this.payloads, this.counters));
    this.add({ id, isExtended, format: 'j1939' }, (timeUs, sender, bus, data, start, length) =>
      receiverOf(bus)?.frame(timeUs, sender, data, start, length),
    );
  }

  private addObd(message: Message): void {
    const take: TakePayload = (timeUs, bytes, length) => {
      splitObd(bytes.subarray(0, length), (part) =>
        this.payloads.add(timeUs, message.id, message.isExtended, part, part.length),
      );
    };
    for (const identifier of obdIdentifiers(message)) this.addIsoTp(identifier, message, take);
  }

  private addJ1939(groups: ReadonlySet<number>): void {
    const receiverOf = perBus(() => new J1939Receiver(groups, this.payloads, this.counters));
    this.add(control, (timeUs, id, bus, data, start, length) =>
      receiverOf(bus)?.control(timeUs, id, data, start, length),
    );
    this.add(packets, (timeUs, id, bus, data, start, length) =>
      receiverOf(bus)?.packet(timeUs, id, data, start, length),
    );
  }

  private add(identifier: Identifier, handler: Handler, takesFd = false): void {
    this.identifiers.push(identifier);
    this.handlers.push(handler);
    this.takesFd.push(takesFd);
  }
}

/** A receiver for each bus, as far as there is room. */
function perBus<Receiver>(create: () => Receiver): (bus: string) => Receiver | undefined {
  const receivers = new Map<string, Receiver>();
  return (bus) => {
    const known = receivers.get(bus);
    if (known || receivers.size >= busesMax) return known;
    const receiver = create();
    receivers.set(bus, receiver);
    return receiver;
  };
}

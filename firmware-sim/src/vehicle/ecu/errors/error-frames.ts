import { lineHead, type CandumpLines } from '../../candump-line.js';
import type { Destroyed } from './disturbances.js';
import type { ErrorState, FaultConfinement } from './fault-confinement.js';

/* linux/can/error.h */
const ERR_FLAG = 0x2000_0000;
const CONTROLLER = 0x04;
const PROTOCOL = 0x08;
const BUS_OFF = 0x40;
const BUS_ERROR = 0x80;
const RESTARTED = 0x100;
const HAS_COUNTERS = 0x200;
const STUFF_ERROR = 0x04;
const LOCATION = { identifier: 0x02, length: 0x0b, data: 0x0a } as const;
const RX_WARNING = 0x04;
const TX_WARNING = 0x08;
const RX_PASSIVE = 0x10;
const TX_PASSIVE = 0x20;
const ACTIVE = 0x40;
/** Places in an error frame's data. */
const at = { controller: 1, kind: 2, location: 3, transmitErrors: 6, receiveErrors: 7 } as const;

/** What a CAN interface of Linux tells of errors, as `candump -L` writes it: error frames with bus error reporting on. */
export class ErrorFrames {
  private readonly data = new Uint8Array(8);
  private readonly heads = new Map<number, Uint8Array>();
  private told: ErrorState = 'error-active';

  constructor(
    private readonly lines: CandumpLines,
    private readonly interfaceName: string,
    /** The controller that listens. */
    private readonly own: FaultConfinement,
  ) {}

  /** The own controller is off the bus, so it hears nothing. */
  get isDeaf(): boolean {
    return this.own.state === 'bus-off' && this.told === 'bus-off';
  }

  /** A frame on the bus was destroyed; then what the own controller has become by that. Returns the place behind. */
  destroyed(
    out: Uint8Array,
    place: number,
    timeUs: number,
    { sentBits }: Destroyed,
    extended: boolean,
  ): number {
    const { data } = this;
    data.fill(0);
    data[at.kind] = STUFF_ERROR;
    data[at.location] = locationOf(sentBits, extended);
    const end = this.write(out, place, timeUs, PROTOCOL | BUS_ERROR);
    return this.state(out, end, timeUs);
  }

  /** Where the own controller's state isn't what was told last, tells it. Returns the place behind. */
  state(out: Uint8Array, place: number, timeUs: number): number {
    const { own, told, data } = this;
    const now = own.state;
    if (now === told) return place;
    this.told = now;
    data.fill(0);
    if (now === 'bus-off') return this.write(out, place, timeUs, BUS_OFF);
    const isSending = own.transmitErrors >= own.receiveErrors;
    data[at.controller] =
      now === 'error-active'
        ? ACTIVE
        : now === 'error-warning'
          ? isSending
            ? TX_WARNING
            : RX_WARNING
          : isSending
            ? TX_PASSIVE
            : RX_PASSIVE;
    return this.write(out, place, timeUs, CONTROLLER | (told === 'bus-off' ? RESTARTED : 0));
  }

  private write(out: Uint8Array, place: number, timeUs: number, errorClass: number): number {
    const { data, own } = this;
    const id = ERR_FLAG | errorClass | HAS_COUNTERS;
    data[at.transmitErrors] = Math.min(255, own.transmitErrors);
    data[at.receiveErrors] = Math.min(255, own.receiveErrors);
    let head = this.heads.get(id);
    if (!head) {
      head = lineHead(this.interfaceName, id, 8, '#');
      this.heads.set(id, head);
    }
    return this.lines.write(out, place, timeUs, head, data);
  }
}

/** The part of a frame in which a bit lies, stuff bits aside. */
function locationOf(bit: number, extended: boolean): number {
  const lengthAt = extended ? 35 : 15;
  if (bit < lengthAt) return LOCATION.identifier;
  return bit < lengthAt + 4 ? LOCATION.length : LOCATION.data;
}

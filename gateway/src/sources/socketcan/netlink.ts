/* linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/can/netlink.h; little-endian machines. */
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const ARPHRD_CAN = 280;
const IFF_UP = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINKINFO = 18;
const IFLA_STATS64 = 23;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_XSTATS = 3;
const IFLA_CAN_BITTIMING = 1;
const IFLA_CAN_STATE = 4;
const IFLA_CAN_CTRLMODE = 5;
const IFLA_CAN_RESTART_MS = 6;
const IFLA_CAN_RESTART = 7;
const IFLA_CAN_BERR_COUNTER = 8;
const IFLA_CAN_DATA_BITTIMING = 9;
const CTRLMODE_LISTENONLY = 0x02;
const CTRLMODE_FD = 0x20;
const HEADER_BYTES = 16;
const LINK_BYTES = 16;
const NESTED = 0x8000;

const states = ['error-active', 'error-warning', 'error-passive', 'bus-off', 'stopped', 'sleeping'] as const;
type ControllerState = (typeof states)[number];

/** How often something happened since the interface was made, as its driver counts. */
interface ErrorCounts {
  busErrors: number;
  warnings: number;
  passives: number;
  busOffs: number;
  arbitrationLost: number;
  restarts: number;
}

/** A CAN interface as the kernel describes it. What its driver doesn't tell is undefined. */
export interface CanLink {
  name: string;
  index: number;
  up: boolean;
  /** `can` for controllers, `vcan`, `vxcan`, … */
  kind: string | undefined;
  mtu: number;
  state: ControllerState | undefined;
  /** Bits a second. */
  bitrate: number | undefined;
  dataBitrate: number | undefined;
  listenOnly: boolean | undefined;
  fd: boolean;
  /** The kernel's own restart after bus-off, ms; 0 never. */
  restartMs: number | undefined;
  /** The controller's error counters (ISO 11898-1, 12.1.4): above 95 warning, above 127 passive. */
  transmitErrors: number | undefined;
  receiveErrors: number | undefined;
  counts: ErrorCounts | undefined;
  receivedFrames: number;
  receiveErrorFrames: number;
}

/** Sends a request to the kernel and returns all that it answers, message behind message. Errors: FLEETLOG_SOURCE. */
export type AskKernel = (request: Uint8Array) => Uint8Array;

/** All CAN interfaces of this machine. Errors: FLEETLOG_SOURCE. */
export function listCanLinks(ask: AskKernel): CanLink[] {
  const answer = ask(message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 0));
  return [...messages(answer)].flatMap(({ type, body }) => {
    const link = type === RTM_NEWLINK ? linkOf(body) : undefined;
    return link ? [link] : [];
  });
}

/** The request that lets a controller take part again after bus-off; it must be up, with `restartMs` 0. */
export function restartRequest(index: number): Uint8Array {
  const restart = attribute(IFLA_CAN_RESTART, u32(1));
  const info = Buffer.concat([
    attribute(IFLA_INFO_KIND, Buffer.from('can')),
    attribute(IFLA_INFO_DATA | NESTED, restart),
  ]);
  return message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, index, attribute(IFLA_LINKINFO | NESTED, info));
}

/** What the kernel says to a request that changes something: 0, or an errno. */
export function answeredError(answer: Uint8Array): number {
  for (const { type, body } of messages(answer)) if (type === NLMSG_ERROR) return -body.readInt32LE(0);
  return 0;
}

/** Whether an answer, so far, has its last message. */
export function isWholeAnswer(answer: Uint8Array): boolean {
  for (const { type } of messages(answer)) if (type === NLMSG_DONE || type === NLMSG_ERROR) return true;
  return false;
}

function message(type: number, flags: number, index: number, attributes: Uint8Array = nothing): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES + LINK_BYTES + attributes.length);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  bytes.writeUInt32LE(1, 8);
  bytes.writeInt32LE(index, HEADER_BYTES + 4);
  bytes.set(attributes, HEADER_BYTES + LINK_BYTES);
  return bytes;
}

function attribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(aligned(4 + value.length));
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
}

function* messages(answer: Uint8Array): Generator<{ type: number; body: Buffer }> {
  const bytes = Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength);
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = bytes.readUInt32LE(at);
    if (length < HEADER_BYTES || at + length > bytes.length) return;
    yield { type: bytes.readUInt16LE(at + 4), body: bytes.subarray(at + HEADER_BYTES, at + length) };
    at += aligned(length);
  }
}

/** Attributes by type. */
function attributes(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    found.set(bytes.readUInt16LE(at + 2) & ~NESTED, bytes.subarray(at + 4, at + length));
    at += aligned(length);
  }
  return found;
}

/** Undefined where it is no CAN interface. */
function linkOf(body: Buffer): CanLink | undefined {
  if (body.length < LINK_BYTES || body.readUInt16LE(2) !== ARPHRD_CAN) return undefined;
  const link = attributes(body.subarray(LINK_BYTES));
  const info = attributes(link.get(IFLA_LINKINFO) ?? nothing);
  const can = attributes(info.get(IFLA_INFO_DATA) ?? nothing);
  const number = (bytes: Buffer | undefined, at = 0): number | undefined =>
    bytes && bytes.length >= at + 4 ? bytes.readUInt32LE(at) : undefined;
  const stats = link.get(IFLA_STATS64);
  const stat = (at: number): number =>
    stats && stats.length >= 8 * at + 8 ? Number(stats.readBigUInt64LE(8 * at)) : 0;
  const errors = can.get(IFLA_CAN_BERR_COUNTER);
  const modes = number(can.get(IFLA_CAN_CTRLMODE), 4);
  const state = number(can.get(IFLA_CAN_STATE));
  return {
    name: text(link.get(IFLA_IFNAME)) ?? '',
    index: body.readInt32LE(4),
    up: (body.readUInt32LE(8) & IFF_UP) !== 0,
    kind: text(info.get(IFLA_INFO_KIND)),
    mtu: number(link.get(IFLA_MTU)) ?? 0,
    state: state === undefined ? undefined : states[state],
    bitrate: number(can.get(IFLA_CAN_BITTIMING)) || undefined,
    dataBitrate: number(can.get(IFLA_CAN_DATA_BITTIMING)) || undefined,
    listenOnly: modes === undefined ? undefined : (modes & CTRLMODE_LISTENONLY) !== 0,
    fd: modes === undefined ? number(link.get(IFLA_MTU)) === 72 : (modes & CTRLMODE_FD) !== 0,
    restartMs: number(can.get(IFLA_CAN_RESTART_MS)),
    transmitErrors: errors && errors.length >= 4 ? errors.readUInt16LE(0) : undefined,
    receiveErrors: errors && errors.length >= 4 ? errors.readUInt16LE(2) : undefined,
    counts: errorCounts(info.get(IFLA_INFO_XSTATS)),
    receivedFrames: stat(0),
    receiveErrorFrames: stat(4),
  };
}

/** struct can_device_stats */
function errorCounts(bytes: Buffer | undefined): ErrorCounts | undefined {
  if (!bytes || bytes.length < 24) return undefined;
  const [busErrors, warnings, passives, busOffs, arbitrationLost, restarts] = [0, 4, 8, 12, 16, 20].map(
    (at) => bytes.readUInt32LE(at),
  );
  return { busErrors, warnings, passives, busOffs, arbitrationLost, restarts };
}

const nothing = Buffer.alloc(0);
const aligned = (length: number): number => (length + 3) & ~3;
const text = (bytes: Buffer | undefined): string | undefined =>
  bytes?.toString('latin1').replace(/\0.*$/s, '');
function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

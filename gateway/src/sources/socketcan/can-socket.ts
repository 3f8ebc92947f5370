import { CAN_ERR_FLAG, CAN_RTR_FLAG, FRAME_FD, fdDlcByLength, type CanFrames } from '@fleetlog/shared/can';
import { FleetlogError } from '@fleetlog/shared/errors';
import { errno, errnoName } from './errno.js';
import type { Libc, NativeMemory } from './libc.js';

/* linux/can.h, linux/can/raw.h, asm-generic/socket.h, linux/net_tstamp.h */
const PF_CAN = 29;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const CAN_RAW = 1;
const SOL_CAN_RAW = 101;
const CAN_RAW_FILTER = 1;
const CAN_RAW_ERR_FILTER = 2;
const CAN_RAW_FD_FRAMES = 5;
const CAN_ERR_MASK = 0x1fff_ffff;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
const SO_TIMESTAMPING = 37;
const SO_RXQ_OVFL = 40;
const RX_HARDWARE = 1 << 2;
const RX_SOFTWARE = 1 << 3;
const SOFTWARE = 1 << 4;
const RAW_HARDWARE = 1 << 6;
const MSG_WAITFORONE = 0x10000;
const CANFD_MTU = 72;
const CANFD_FLAGS_MASK = 7;

/* Structures of 64-bit Linux, little-endian. */
const MESSAGE_BYTES = 64; // struct mmsghdr
const MESSAGE_LENGTH_AT = 56;
const MESSAGE_CONTROL_LENGTH_AT = 40;
const IOVEC_BYTES = 16;
const CONTROL_BYTES = 128;
const CONTROL_HEADER_BYTES = 16;
const ADDRESS_BYTES = 24; // struct sockaddr_can
const TIMESPEC_BYTES = 16;

/** Frames that one system call brings at most. */
const MESSAGES = 256;

export interface CanSocketOptions {
  interfaceName: string;
  /** Pairs of id and mask; none: all frames. */
  filters: readonly (readonly [id: number, mask: number])[];
  receiveBufferBytes: number;
  /** Longest wait of `receive`. */
  timeoutMs: number;
}

/** A raw CAN socket, which only listens. For a thread of its own: it blocks. */
export class CanSocket {
  /** Bytes that the kernel gave for what waits; it counts overhead, too. */
  readonly receiveBufferBytes: number;
  /** Frames that the kernel dropped since the socket was opened, because nobody took them. */
  dropped = 0;
  /** Wall time of the frame that was visited last, µs, by the kernel. */
  timeUs = 0;
  /** The same by the interface's own clock, µs since an unknown moment; -1 where it has none. */
  hardwareUs = -1;

  private readonly memory: NativeMemory & { pointer: unknown };
  private readonly frameAt: number;
  private readonly controlAt: number;

  private constructor(
    private readonly libc: Libc,
    private readonly fd: number,
    receiveBufferBytes: number,
  ) {
    this.receiveBufferBytes = receiveBufferBytes;
    const iovecAt = MESSAGES * MESSAGE_BYTES;
    this.frameAt = iovecAt + MESSAGES * IOVEC_BYTES;
    this.controlAt = this.frameAt + MESSAGES * CANFD_MTU;
    this.memory = libc.allocate(this.controlAt + MESSAGES * CONTROL_BYTES);
    const { view, address } = this.memory;
    for (let i = 0; i < MESSAGES; i++) {
      const iovec = iovecAt + i * IOVEC_BYTES;
      view.setBigUint64(iovec, address + BigInt(this.frameAt + i * CANFD_MTU), true);
      view.setBigUint64(iovec + 8, BigInt(CANFD_MTU), true);
      const message = i * MESSAGE_BYTES;
      view.setBigUint64(message + 16, address + BigInt(iovec), true);
      view.setBigUint64(message + 24, 1n, true);
      view.setBigUint64(message + 32, address + BigInt(this.controlAt + i * CONTROL_BYTES), true);
    }
  }

  /** Errors: FLEETLOG_SOURCE with a sentence that says what to do. */
  static open(libc: Libc, options: CanSocketOptions): CanSocket {
    const { interfaceName } = options;
    const index = libc.interfaceIndex(interfaceName);
    if (index === 0)
      throw lost(`There is no CAN interface ${interfaceName}; look for its name with ip -br link`);
    const fd = libc.socket(PF_CAN, SOCK_RAW_CLOEXEC, CAN_RAW);
    if (fd < 0) {
      throw lost(
        `This kernel has no CAN sockets (${errnoName(libc.lastError())}); load them with sudo modprobe can-raw`,
      );
    }
    try {
      const receiveBufferBytes = configure(libc, fd, options);
      const address = Buffer.alloc(ADDRESS_BYTES);
      address.writeUInt16LE(PF_CAN, 0);
      address.writeInt32LE(index, 4);
      if (libc.bind(fd, address, address.length) < 0) {
        throw lost(
          `${interfaceName} is no CAN interface (${errnoName(libc.lastError())}); see ip -details link`,
        );
      }
      return new CanSocket(libc, fd, receiveBufferBytes);
    } catch (error) {
      libc.close(fd);
      throw error;
    }
  }

  /**
   * Waits for frames and takes what is there; returns how many, 0 after the timeout. `visit` them then.
   * Errors: FLEETLOG_SOURCE where the interface is down or gone.
   */
  receive(interfaceName: string): number {
    const { libc, memory } = this;
    for (let i = 0; i < MESSAGES; i++) {
      memory.view.setUint32(i * MESSAGE_BYTES + MESSAGE_CONTROL_LENGTH_AT, CONTROL_BYTES, true);
    }
    const count = libc.recvmmsg(this.fd, memory.pointer, MESSAGES, MSG_WAITFORONE, null);
    if (count >= 0) return count;
    const code = libc.lastError();
    if (code === errno.EAGAIN || code === errno.EINTR) return 0;
    if (code === errno.ENETDOWN)
      throw lost(
        `The CAN interface ${interfaceName} is down; it is read again when it is up (sudo ip link set ${interfaceName} up)`,
      );
    throw lost(
      `The CAN interface ${interfaceName} was lost (${errnoName(code)}); it is read again when it is back`,
    );
  }

  /** Reads the times and the drop count that came with frame `i` of the last `receive`. */
  visit(i: number): void {
    const { view } = this.memory;
    const length = view.getUint32(i * MESSAGE_BYTES + MESSAGE_CONTROL_LENGTH_AT, true);
    const start = this.controlAt + i * CONTROL_BYTES;
    this.hardwareUs = -1;
    for (let at = start; at + CONTROL_HEADER_BYTES <= start + length;) {
      const bytes = view.getUint32(at, true);
      const type = view.getInt32(at + 12, true);
      const data = at + CONTROL_HEADER_BYTES;
      if (type === SO_TIMESTAMPING) {
        this.timeUs = microsAt(view, data);
        const hardwareUs = microsAt(view, data + 2 * TIMESPEC_BYTES);
        if (hardwareUs > 0) this.hardwareUs = hardwareUs;
      } else if (type === SO_RXQ_OVFL) {
        this.dropped = view.getUint32(data, true);
      }
      if (bytes < CONTROL_HEADER_BYTES) break;
      at += (bytes + 7) & ~7;
    }
  }

  /** Appends frame `i` of the last `receive`. */
  append(i: number, timeUs: number, bus: number, frames: CanFrames): void {
    const { view, bytes } = this.memory;
    const at = this.frameAt + i * CANFD_MTU;
    const id = view.getUint32(at, true);
    const length = bytes[at + 4];
    if (view.getUint32(i * MESSAGE_BYTES + MESSAGE_LENGTH_AT, true) === CANFD_MTU) {
      const flags = FRAME_FD | (bytes[at + 5] & CANFD_FLAGS_MASK);
      frames.append(timeUs, id, flags, fdDlcByLength[length], bus, bytes, at + 8, Math.min(length, 64));
      return;
    }
    const rawDlc = bytes[at + 7];
    const dlc = length === 8 && rawDlc > 8 ? rawDlc : length;
    frames.append(timeUs, id, 0, dlc, bus, bytes, at + 8, id & CAN_RTR_FLAG ? 0 : Math.min(length, 8));
  }

  /** Of error frames: the classes of the error (linux/can/error.h); 0 of all others. */
  errorOf(i: number): number {
    const at = this.frameAt + i * CANFD_MTU;
    const id = this.memory.view.getUint32(at, true);
    return id & CAN_ERR_FLAG ? id & CAN_ERR_MASK : 0;
  }

  /** Second byte of an error frame's data: problems of the controller. */
  controllerOf(i: number): number {
    return this.memory.bytes[this.frameAt + i * CANFD_MTU + 8 + 1];
  }

  close(): void {
    this.libc.close(this.fd);
  }
}

function configure(libc: Libc, fd: number, options: CanSocketOptions): number {
  const set = (level: number, name: number, value: Buffer): number =>
    libc.setsockopt(fd, level, name, value, value.length);
  const int = (value: number): Buffer => {
    const buffer = Buffer.alloc(4);
    buffer.writeInt32LE(value);
    return buffer;
  };
  if (set(SOL_SOCKET, SO_RCVBUFFORCE, int(options.receiveBufferBytes)) < 0) {
    set(SOL_SOCKET, SO_RCVBUF, int(options.receiveBufferBytes));
  }
  set(SOL_SOCKET, SO_RXQ_OVFL, int(1));
  set(SOL_SOCKET, SO_TIMESTAMPING, int(RX_HARDWARE | RX_SOFTWARE | SOFTWARE | RAW_HARDWARE));
  set(SOL_CAN_RAW, CAN_RAW_FD_FRAMES, int(1));
  set(SOL_CAN_RAW, CAN_RAW_ERR_FILTER, int(CAN_ERR_MASK));
  if (options.filters.length > 0) {
    const filters = Buffer.alloc(8 * options.filters.length);
    options.filters.forEach(([id, mask], i) => {
      filters.writeUInt32LE(id, 8 * i);
      filters.writeUInt32LE(mask, 8 * i + 4);
    });
    set(SOL_CAN_RAW, CAN_RAW_FILTER, filters);
  }
  const timeout = Buffer.alloc(16);
  timeout.writeBigInt64LE(BigInt(Math.floor(options.timeoutMs / 1000)), 0);
  timeout.writeBigInt64LE(BigInt((options.timeoutMs % 1000) * 1000), 8);
  set(SOL_SOCKET, SO_RCVTIMEO, timeout);
  const given = int(0);
  libc.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, given, int(4));
  return given.readInt32LE();
}

function microsAt(view: DataView, at: number): number {
  const seconds = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  return seconds * 1e6 + Math.floor(view.getUint32(at + 8, true) / 1000);
}

const lost = (sentence: string): FleetlogError => new FleetlogError('FLEETLOG_SOURCE', `${sentence}.`);

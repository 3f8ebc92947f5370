import { setTimeout as sleep } from 'node:timers/promises';
import { CandumpParser, CanFrames, FRAME_BRS, FRAME_ESI, FRAME_FD, lineResult } from '@fleetlog/shared/can';
import { FleetlogError } from '@fleetlog/shared/errors';
import { loadLibc } from './libc.js';
import type { Port, TakeFrame } from './port.js';

/* linux/can.h, linux/can/raw.h, asm-generic/errno.h */
const AF_CAN = 29;
const SOCK_RAW_NONBLOCK = 3 | 0x800;
const CAN_RAW = 1;
const SOL_CAN_RAW = 101;
const CAN_RAW_FD_FRAMES = 5;
const CLASSIC_BYTES = 16;
const FD_BYTES = 72;
const HEAD_BYTES = 8;
const EAGAIN = 11;
const ENOBUFS = 105;
/** The interface's queue is full: a frame leaves in less. */
const FULL_MS = 1;

const ID_MASK = 0x1fff_ffff;
const EFF_FLAG = 0x8000_0000;
/** Remote and error frames. */
const NO_DATA_FLAGS = 0x6000_0000;
/** In one go, so that a flood doesn't hold the vehicle up. */
const READ_FRAMES_MAX = 256;

type WriteCall = (fd: number, bytes: Uint8Array, length: number) => number;

/** Puts the frames of candump text on a CAN interface of the kernel, real or virtual. */
export class CanInterface implements Port {
  private readonly parser = new CandumpParser();
  private readonly frames = new CanFrames();
  private readonly packet = Buffer.alloc(FD_BYTES);

  private readonly received = Buffer.alloc(FD_BYTES);

  private constructor(
    readonly name: string,
    private readonly fd: number,
    private readonly calls: {
      write: WriteCall;
      read: WriteCall;
      close: (fd: number) => number;
      errno: () => number;
    },
  ) {}

  /** Errors: FLEETLOG_PLATFORM where the kernel has no CAN, FLEETLOG_SOURCE where it hasn't this interface. */
  static open(name: string): CanInterface {
    const { call, errno } = loadLibc('CAN interfaces');
    const socket = call<(...n: number[]) => number>('int socket(int, int, int)');
    const close = call<(fd: number) => number>('int close(int)');
    const indexOf = call<(name: string) => number>('uint32_t if_nametoindex(const char *)');
    const setOption = call<(fd: number, level: number, option: number, value: Buffer, n: number) => number>(
      'int setsockopt(int, int, int, const uint8_t *, uint32_t)',
    );
    const bind = call<(fd: number, address: Buffer, bytes: number) => number>(
      'int bind(int, const uint8_t *, uint32_t)',
    );
    const write = call<WriteCall>('int64_t write(int, const uint8_t *, size_t)');
    const read = call<WriteCall>('int64_t read(int, _Inout_ uint8_t *, size_t)');
    const fd = socket(AF_CAN, SOCK_RAW_NONBLOCK, CAN_RAW);
    if (fd < 0) {
      throw new FleetlogError(
        'FLEETLOG_PLATFORM',
        `This kernel has no CAN sockets (errno ${errno()}); load them (sudo modprobe can_raw vcan), or write candump text to a file.`,
      );
    }
    const address = Buffer.alloc(24);
    address.writeUInt16LE(AF_CAN, 0);
    address.writeInt32LE(indexOf(name), 4);
    const on = Buffer.of(1, 0, 0, 0);
    setOption(fd, SOL_CAN_RAW, CAN_RAW_FD_FRAMES, on, on.length); // older kernels have classic frames only
    if (address.readInt32LE(4) === 0 || bind(fd, address, address.length) < 0) {
      close(fd);
      throw new FleetlogError(
        'FLEETLOG_SOURCE',
        `There is no CAN interface ${name}: sudo ip link add dev ${name} type vcan && sudo ip link set ${name} up.`,
      );
    }
    return new CanInterface(name, fd, { write, read, close, errno });
  }

  /** Resolves when the kernel has all frames. Errors: FLEETLOG_SOURCE where the interface is down. */
  async write(text: Uint8Array | string): Promise<void> {
    const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
    for (let at = 0; at < bytes.length; at = this.parser.lineEnd) {
      this.frames.clear();
      if (this.parser.parseLine(bytes, at, this.frames) !== lineResult.ok) continue;
      const length = packFrame(this.frames, this.packet);
      while (this.calls.write(this.fd, this.packet, length) < 0) {
        const errno = this.calls.errno();
        if (errno !== ENOBUFS && errno !== EAGAIN) {
          throw new FleetlogError(
            'FLEETLOG_SOURCE',
            `The CAN interface ${this.name} takes no frames (errno ${errno}): sudo ip link set ${this.name} up.`,
          );
        }
        await sleep(FULL_MS);
      }
    }
  }

  /** Gives what others have put on the interface: classic data frames. Its own aren't among them. */
  readFrames(take: TakeFrame): void {
    const { received } = this;
    for (let i = 0; i < READ_FRAMES_MAX; i++) {
      const bytes = this.calls.read(this.fd, received, FD_BYTES);
      if (bytes <= 0) return; // EAGAIN; an interface that is down tells the next write
      const id = received.readUInt32LE(0);
      if (bytes !== CLASSIC_BYTES || (id & NO_DATA_FLAGS) !== 0) continue;
      const data = Uint8Array.from(received.subarray(HEAD_BYTES, HEAD_BYTES + Math.min(8, received[4])));
      take(id & ID_MASK, (id & EFF_FLAG) !== 0, data);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.calls.close(this.fd);
    return Promise.resolve();
  }
}

/** `struct can_frame` or `struct canfd_frame` of the only frame; returns its length. */
function packFrame({ id, flags, dlc, data, dataStart }: CanFrames, packet: Buffer): number {
  const isFd = (flags[0] & FRAME_FD) !== 0;
  const length = dataStart[1] - dataStart[0];
  packet.fill(0);
  packet.writeUInt32LE(id[0], 0);
  packet[4] = isFd ? length : Math.min(8, dlc[0]);
  if (isFd) packet[5] = flags[0] & (FRAME_BRS | FRAME_ESI);
  packet.set(data.subarray(dataStart[0], dataStart[1]), HEAD_BYTES);
  return isFd ? FD_BYTES : CLASSIC_BYTES;
}

import type { Libc } from '#gateway/sources/socketcan/libc.js';

/** What the kernel gives with a frame (struct can_frame), as `recvmmsg` of a raw CAN socket does. */
export interface KernelFrame {
  id: number;
  data: number[];
  /** Of the wall clock, µs. */
  softwareUs: number;
  /** Of the interface's own clock, µs; absent where it has none. */
  hardwareUs?: number;
  /** Frames dropped since the socket was opened; absent until the first one is (net/socket.c, sock_recv_drops). */
  dropped?: number;
}

/* asm-generic/socket.h, linux/socket.h */
const SOL_SOCKET = 1;
const SCM_TIMESTAMPING = 37;
const SO_RXQ_OVFL = 40;
const CAN_FRAME_BYTES = 16;
const MESSAGE_BYTES = 64;

/** System calls that are answered from a list of frames, through the pointers that the caller has put into its structures. */
export function libcWithFrames(waiting: KernelFrame[]): Libc {
  let memory = new DataView(new ArrayBuffer(0));
  const base = 0x7f00_0000_0000n;
  const place = (pointer: number): number => Number(memory.getBigUint64(pointer, true) - base);
  const fine = (): number => 0;
  return {
    socket: () => 3,
    bind: fine,
    setsockopt: fine,
    getsockopt: fine,
    close: fine,
    interfaceIndex: () => 4,
    lastError: () => 11, // EAGAIN
    allocate(bytes) {
      memory = new DataView(new ArrayBuffer(bytes));
      return { pointer: memory, address: base, bytes: new Uint8Array(memory.buffer), view: memory };
    },
    recvmmsg(_fd, _messages, count) {
      const frames = waiting.splice(0, count);
      frames.forEach((frame, i) => {
        const message = i * MESSAGE_BYTES;
        writeFrame(memory, place(place(message + 16)), frame);
        const control = place(message + 32);
        const room = memory.getUint32(message + 40, true);
        const bytes = writeControl(memory, control, frame);
        if (bytes > room)
          throw new Error(`${room} bytes are too few for what the kernel says beside a frame`);
        memory.setUint32(message + 40, bytes, true);
        memory.setUint32(message + 56, CAN_FRAME_BYTES, true);
      });
      return frames.length === 0 ? -1 : frames.length;
    },
  };
}

function writeFrame(memory: DataView, at: number, { id, data }: KernelFrame): void {
  memory.setUint32(at, id, true);
  memory.setUint8(at + 4, data.length);
  data.forEach((byte, i) => memory.setUint8(at + 8 + i, byte));
}

/** Each message: its length (u64), level, type, data, and zeros to the next multiple of eight. Returns their length. */
function writeControl(memory: DataView, start: number, frame: KernelFrame): number {
  let at = start;
  const head = (type: number, dataBytes: number): number => {
    memory.setBigUint64(at, BigInt(16 + dataBytes), true);
    memory.setInt32(at + 8, SOL_SOCKET, true);
    memory.setInt32(at + 12, type, true);
    const data = at + 16;
    at = data + ((dataBytes + 7) & ~7);
    return data;
  };
  // struct scm_timestamping: software, an unused one, hardware; each seconds and ns.
  const times = head(SCM_TIMESTAMPING, 48);
  for (const [slot, us] of [frame.softwareUs, 0, frame.hardwareUs ?? 0].entries()) {
    memory.setBigInt64(times + 16 * slot, BigInt(Math.floor(us / 1e6)), true);
    memory.setBigInt64(times + 16 * slot + 8, BigInt((us % 1e6) * 1000), true);
  }
  if (frame.dropped !== undefined) memory.setUint32(head(SO_RXQ_OVFL, 4), frame.dropped, true);
  return at - start;
}

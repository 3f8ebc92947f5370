import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { FleetlogError } from '@fleetlog/shared/errors';
import { isWholeAnswer, type AskKernel } from './netlink.js';

/* asm-generic/socket.h, linux/netlink.h */
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const NETLINK_ROUTE = 0;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const PART_BYTES = 64 * 1024;

/**
 * Asks the kernel about network interfaces, as `ip` does. It answers within the call that asks: nothing waits.
 * Errors: FLEETLOG_PLATFORM where the C library isn't that of Linux; the calls: FLEETLOG_SOURCE.
 */
export function askKernel(): AskKernel {
  let koffi: typeof Koffi;
  let library: ReturnType<typeof Koffi.load>;
  try {
    // Loaded where it is needed: it takes memory.
    koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
    library = koffi.load('libc.so.6');
  } catch (cause) {
    throw new FleetlogError('FLEETLOG_PLATFORM', 'CAN interfaces need Linux with the GNU C library.', {
      cause,
    });
  }
  const socket = library.func('int socket(int, int, int)') as (...n: number[]) => number;
  const setsockopt = library.func('int setsockopt(int, int, int, const uint8_t *, uint32_t)') as (
    fd: number,
    level: number,
    name: number,
    value: Uint8Array,
    length: number,
  ) => number;
  const send = library.func('int64_t send(int, const uint8_t *, size_t, int)') as Transfer;
  const receive = library.func('int64_t recv(int, _Out_ uint8_t *, size_t, int)') as Transfer;
  const close = library.func('int close(int)') as (fd: number) => number;
  const part = Buffer.alloc(PART_BYTES);
  const failed = (what: string): FleetlogError =>
    new FleetlogError(
      'FLEETLOG_SOURCE',
      `The kernel doesn't tell about network interfaces (${what}, errno ${koffi.errno()}).`,
    );
  return (request) => {
    const fd = socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) throw failed('socket');
    try {
      const aSecond = Buffer.alloc(16);
      aSecond.writeBigInt64LE(1n);
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, aSecond, aSecond.length);
      if (send(fd, request, request.length, 0) < 0) throw failed('send');
      let answer: Uint8Array = Buffer.alloc(0);
      while (!isWholeAnswer(answer)) {
        const bytes = Number(receive(fd, part, PART_BYTES, 0));
        if (bytes <= 0) throw failed('recv');
        answer = Buffer.concat([answer, part.subarray(0, bytes)]);
      }
      return answer;
    } finally {
      close(fd);
    }
  };
}

type Transfer = (fd: number, bytes: Uint8Array, length: number, flags: number) => number;

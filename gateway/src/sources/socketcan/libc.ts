import koffi from 'koffi';
import { FleetlogError } from '@fleetlog/shared/errors';

/** Memory outside of JavaScript's heap: the kernel writes into it, so it must neither move nor be collected. */
export interface NativeMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where it lies, for pointers within structures. */
  readonly address: bigint;
}

/** The system calls of a CAN socket. Numbers are returned as the C library does; -1 sets `lastError()`. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number;
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint8Array): number;
  recvmmsg(fd: number, messages: unknown, count: number, flags: number, timeout: null): number;
  close(fd: number): number;
  /** 0 where there is no such interface. */
  interfaceIndex(name: string): number;
  lastError(): number;
  /** Never freed: each life of a source has one. */
  allocate(bytes: number): NativeMemory & { readonly pointer: unknown };
}

/** Errors: FLEETLOG_PLATFORM where the C library isn't that of Linux. */
export function loadLibc(): Libc {
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load('libc.so.6');
  } catch (cause) {
    throw new FleetlogError('FLEETLOG_PLATFORM', 'CAN sockets need Linux with the GNU C library.', { cause });
  }
  return {
    socket: library.func('int socket(int, int, int)') as Libc['socket'],
    bind: library.func('int bind(int, const uint8_t *, uint32_t)') as Libc['bind'],
    setsockopt: library.func(
      'int setsockopt(int, int, int, const uint8_t *, uint32_t)',
    ) as Libc['setsockopt'],
    getsockopt: library.func(
      'int getsockopt(int, int, int, _Inout_ uint8_t *, _Inout_ uint8_t *)',
    ) as Libc['getsockopt'],
    recvmmsg: library.func('int recvmmsg(int, void *, uint32_t, int, void *)') as Libc['recvmmsg'],
    close: library.func('int close(int)') as Libc['close'],
    interfaceIndex: library.func('uint32_t if_nametoindex(const char *)') as Libc['interfaceIndex'],
    lastError: () => koffi.errno(),
    allocate(bytes) {
      const pointer: unknown = koffi.alloc('uint8_t', bytes);
      const buffer = koffi.view(pointer, bytes);
      return {
        pointer,
        address: BigInt(koffi.address(pointer)),
        bytes: new Uint8Array(buffer),
        view: new DataView(buffer),
      };
    },
  };
}

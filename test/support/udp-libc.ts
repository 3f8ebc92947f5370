import { loadLibc as loadSystemLibc, type Libc } from '#gateway/sources/socketcan/libc.js';

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
const SOCKADDR_BYTES = 16;
const PORTS = 8;

/** UDP in the place of CAN, for machines whose kernel has none: frames come as datagrams, times and drop counts as ever. */
export function loadLibc(): Libc {
  const libc = loadSystemLibc();
  const firstPort = Number(process.env['FLEETLOG_BENCH_PORT']);
  return {
    ...libc,
    interfaceIndex: () => 1,
    socket: () => libc.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0),
    bind(fd) {
      for (let port = firstPort; port < firstPort + PORTS; port++) {
        const address = Buffer.alloc(SOCKADDR_BYTES);
        address.writeUInt16LE(AF_INET, 0);
        address.writeUInt16BE(port, 2);
        address.set([127, 0, 0, 1], 4);
        if (libc.bind(fd, address, address.length) === 0) return 0;
      }
      return -1;
    },
  };
}

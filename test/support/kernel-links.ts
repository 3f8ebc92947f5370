/* What the kernel answers by netlink, for tests of what is made of it. */

export const BUS_OFF = 3;

/** In the machine's byte order. */
export const u32 = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer);
function attribute(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc((4 + value.length + 3) & ~3);
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  value.copy(bytes, 4);
  return bytes;
}
/** A netlink message. */
export function message(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(16 + body.length, 0);
  head.writeUInt16LE(type, 4);
  return Buffer.concat([head, body]);
}

/** What Linux says of a controller at 500 kbit/s, listening only, and of an Ethernet interface beside it. */
export function linksOf({
  state = BUS_OFF,
  up = true,
  restartMs = 0,
  frames = 1234,
  errors = 7,
} = {}): Buffer {
  const link = Buffer.alloc(16);
  link.writeUInt16LE(280, 2);
  link.writeInt32LE(4, 4);
  link.writeUInt32LE(up ? 0x41 : 0x40, 8);
  const can = Buffer.concat([
    attribute(1, u32(500_000, 875, 125, 6, 7, 2, 1, 5)),
    attribute(4, u32(state)),
    attribute(5, u32(0, 2)),
    attribute(6, u32(restartMs)),
    attribute(8, Buffer.from(Uint16Array.of(248, 96).buffer)),
  ]);
  const info = Buffer.concat([
    attribute(1, Buffer.from('can\0')),
    attribute(2 | 0x8000, can),
    attribute(3, u32(errors, 2, 3, 4, 5, 6)),
  ]);
  const stats = Buffer.alloc(24 * 8);
  stats.writeBigUInt64LE(BigInt(frames), 0);
  const ethernet = Buffer.alloc(16);
  ethernet.writeUInt16LE(1, 2);
  return Buffer.concat([
    message(16, Buffer.concat([ethernet, attribute(3, Buffer.from('eth0\0'))])),
    message(
      16,
      Buffer.concat([
        link,
        attribute(3, Buffer.from('can0\0')),
        attribute(4, u32(16)),
        attribute(18, info),
        attribute(23, stats),
      ]),
    ),
    message(3, u32(0)),
  ]);
}

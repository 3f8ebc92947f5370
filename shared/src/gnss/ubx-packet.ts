const sync1 = 0xb5;
const sync2 = 0x62;
/** Sync, class, message, length; and the checksum behind the payload. */
const headBytes = 6;
const checksumBytes = 2;
/** Receivers send less; what claims to be longer is no packet. */
const packetBytesMax = 8192;

/** First byte of a packet. */
export const ubxSync = sync1;

/** Whether a packet of u-blox's protocol may begin there: what is known of its first two bytes fits. */
export const mayBeUbx = (bytes: Uint8Array, start: number, end: number): boolean =>
  bytes[start] === sync1 && (start + 1 >= end || bytes[start + 1] === sync2);

/** A packet, and whether it is right. */
export type UbxPacket =
  /** `id` is class × 256 + message. */
  | { state: 'right'; id: number; payload: DataView; end: number }
  | { state: 'wrong' }
  /** More bytes are needed to know. */
  | { state: 'unfinished' };

const wrong: UbxPacket = { state: 'wrong' };
const unfinished: UbxPacket = { state: 'unfinished' };

/**
 * The packet that begins at `start`, as u-blox's interface descriptions form it: sync, class and message, length (u16,
 * little endian), payload, Fletcher's checksum of 8 bits over all but the sync. The caller has seen that it may be one.
 */
export function readUbx(bytes: Uint8Array, start: number, end: number): UbxPacket {
  if (start + headBytes > end) return unfinished;
  const length = bytes[start + 4] + 256 * bytes[start + 5];
  if (headBytes + length + checksumBytes > packetBytesMax) return wrong;
  const sumAt = start + headBytes + length;
  if (sumAt + checksumBytes > end) return unfinished;
  let a = 0;
  let b = 0;
  for (let i = start + 2; i < sumAt; i++) {
    a = (a + bytes[i]) & 0xff;
    b = (b + a) & 0xff;
  }
  if (bytes[sumAt] !== a || bytes[sumAt + 1] !== b) return wrong;
  return {
    state: 'right',
    id: 256 * bytes[start + 2] + bytes[start + 3],
    payload: new DataView(bytes.buffer, bytes.byteOffset + start + headBytes, length),
    end: sumAt + checksumBytes,
  };
}

/** CRC-32C (Castagnoli), which RocksDB uses and Node's library lacks: four bytes at a time. */

const tables = makeTables();

function makeTables(): Uint32Array[] {
  const made = [0, 1, 2, 3].map(() => new Uint32Array(256));
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0x82f6_3b78 ^ (c >>> 1) : c >>> 1;
    made[0][n] = c >>> 0;
  }
  for (let n = 0; n < 256; n++) {
    for (let t = 1; t < 4; t++) made[t][n] = made[0][made[t - 1][n] & 0xff] ^ (made[t - 1][n] >>> 8);
  }
  return made;
}

function crc32c(bytes: Uint8Array, from = 0, to = bytes.length): number {
  const [t0, t1, t2, t3] = tables;
  let c = 0xffff_ffff;
  let i = from;
  for (; i + 4 <= to; i += 4) {
    c ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    c = t3[c & 0xff] ^ t2[(c >>> 8) & 0xff] ^ t1[(c >>> 16) & 0xff] ^ t0[c >>> 24];
  }
  for (; i < to; i++) c = t0[(c ^ bytes[i]) & 0xff] ^ (c >>> 8);
  return (c ^ 0xffff_ffff) >>> 0;
}

/** As RocksDB stores it: a checksum of bytes that hold checksums would be weak. */
export function maskedCrc32c(bytes: Uint8Array, from: number, to: number): number {
  const crc = crc32c(bytes, from, to);
  return (((crc >>> 15) | (crc << 17)) + 0xa282_ead8) >>> 0;
}

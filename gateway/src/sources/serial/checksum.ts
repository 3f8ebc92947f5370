/** Sum of a packet's bytes by which noise is told from data. */
export interface Checksum {
  /** Bytes that it takes at the packet's end. */
  readonly bytes: 1 | 2 | 4;
  /** Of `bytes[start … end)`, as an unsigned number. */
  of(bytes: Uint8Array, start: number, end: number): number;
}

/** A CRC as the catalogue of parametrised CRC algorithms (reveng.sourceforge.io/crc-catalogue) describes it. */
interface CrcModel {
  width: 8 | 16 | 32;
  polynomial: number;
  initial: number;
  /** Whether the low bits of bytes and sum come first. */
  reflected: boolean;
  finalXor: number;
}

const crcModels = {
  crc8: { width: 8, polynomial: 0x07, initial: 0, reflected: false, finalXor: 0 }, // SMBus
  'crc8-maxim': { width: 8, polynomial: 0x31, initial: 0, reflected: true, finalXor: 0 },
  'crc8-sae-j1850': { width: 8, polynomial: 0x1d, initial: 0xff, reflected: false, finalXor: 0xff },
  'crc16-modbus': { width: 16, polynomial: 0x8005, initial: 0xffff, reflected: true, finalXor: 0 },
  'crc16-arc': { width: 16, polynomial: 0x8005, initial: 0, reflected: true, finalXor: 0 },
  'crc16-ccitt-false': { width: 16, polynomial: 0x1021, initial: 0xffff, reflected: false, finalXor: 0 },
  'crc16-xmodem': { width: 16, polynomial: 0x1021, initial: 0, reflected: false, finalXor: 0 },
  'crc16-kermit': { width: 16, polynomial: 0x1021, initial: 0, reflected: true, finalXor: 0 },
  'crc16-x25': { width: 16, polynomial: 0x1021, initial: 0xffff, reflected: true, finalXor: 0xffff },
  crc32: { width: 32, polynomial: 0x04c1_1db7, initial: 0xffff_ffff, reflected: true, finalXor: 0xffff_ffff },
  crc32c: {
    width: 32,
    polynomial: 0x1edc_6f41,
    initial: 0xffff_ffff,
    reflected: true,
    finalXor: 0xffff_ffff,
  },
  'crc32-mpeg2': { width: 32, polynomial: 0x04c1_1db7, initial: 0xffff_ffff, reflected: false, finalXor: 0 },
} as const satisfies Record<string, CrcModel>;

const sums = {
  sum8: { bytes: 1, of: (bytes, start, end) => added(bytes, start, end) & 0xff },
  sum16: { bytes: 2, of: (bytes, start, end) => added(bytes, start, end) & 0xffff },
  xor8: {
    bytes: 1,
    of: (bytes, start, end) => {
      let sum = 0;
      for (let i = start; i < end; i++) sum ^= bytes[i];
      return sum;
    },
  },
  // As u-blox's UBX has it: RFC 1145's, its first byte in the low half.
  fletcher8: {
    bytes: 2,
    of: (bytes, start, end) => {
      let first = 0;
      let second = 0;
      for (let i = start; i < end; i++) {
        first = (first + bytes[i]) & 0xff;
        second = (second + first) & 0xff;
      }
      return first | (second << 8);
    },
  },
} as const satisfies Record<string, Checksum>;

export const checksumNames = [...Object.keys(sums), ...Object.keys(crcModels)] as ChecksumName[];
export type ChecksumName = keyof typeof sums | keyof typeof crcModels;

export function checksumOf(name: ChecksumName): Checksum {
  return name in sums ? sums[name as keyof typeof sums] : crc(crcModels[name as keyof typeof crcModels]);
}

function added(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0;
  for (let i = start; i < end; i++) sum = (sum + bytes[i]) | 0;
  return sum;
}

function crc({ width, polynomial, initial, reflected, finalXor }: CrcModel): Checksum {
  const bytes = (width / 8) as Checksum['bytes'];
  return reflected
    ? { bytes, of: reflectedCrc(reverse(polynomial, width), initial, finalXor) }
    : { bytes, of: plainCrc(width, polynomial, initial, finalXor) };
}

function reflectedCrc(polynomial: number, initial: number, finalXor: number): Checksum['of'] {
  const table = Uint32Array.from({ length: 256 }, (_, byte) => {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ polynomial : sum >>> 1;
    return sum;
  });
  return (bytes, start, end) => {
    let sum = initial;
    for (let i = start; i < end; i++) sum = (sum >>> 8) ^ table[(sum ^ bytes[i]) & 0xff];
    return (sum ^ finalXor) >>> 0;
  };
}

/** Works in the high bits of a word, whatever the width. */
function plainCrc(width: number, polynomial: number, initial: number, finalXor: number): Checksum['of'] {
  const shift = 32 - width;
  const table = Uint32Array.from({ length: 256 }, (_, byte) => {
    let sum = byte << 24;
    for (let bit = 0; bit < 8; bit++) sum = sum < 0 ? (sum << 1) ^ (polynomial << shift) : sum << 1;
    return sum;
  });
  return (bytes, start, end) => {
    let sum = initial << shift;
    for (let i = start; i < end; i++) sum = (sum << 8) ^ table[(sum >>> 24) ^ bytes[i]];
    return ((sum >>> shift) ^ finalXor) >>> 0;
  };
}

function reverse(value: number, width: number): number {
  let reversed = 0;
  for (let bit = 0; bit < width; bit++) if ((value >>> bit) & 1) reversed |= 1 << (width - 1 - bit);
  return reversed >>> 0;
}

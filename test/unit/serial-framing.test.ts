import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { checksumNames, checksumOf } from '#gateway/sources/serial/checksum.js';
import { createFramer, type Framing, type PacketSink } from '#gateway/sources/serial/framing.js';
import { cobsEncoded, slipEncoded } from '../support/serial-packets.js';

const checked = Buffer.from('123456789');

describe('checksums of packets', () => {
  // The "check" values of the catalogue of parametrised CRC algorithms.
  const catalogue: Record<string, number> = {
    crc8: 0xf4,
    'crc8-maxim': 0xa1,
    'crc8-sae-j1850': 0x4b,
    'crc16-modbus': 0x4b37,
    'crc16-arc': 0xbb3d,
    'crc16-ccitt-false': 0x29b1,
    'crc16-xmodem': 0x31c3,
    'crc16-kermit': 0x2189,
    'crc16-x25': 0x906e,
    crc32: 0xcbf4_3926,
    crc32c: 0xe306_9283,
    'crc32-mpeg2': 0x0376_e6e7,
    sum8: 0xdd,
    sum16: 0x01dd,
    xor8: 0x31,
    fletcher8: 0xdd | (0x15 << 8),
  };

  for (const name of checksumNames) {
    it(`${name} is that of the catalogue`, () => {
      const checksum = checksumOf(name);
      assert.equal(checksum.of(checked, 0, 9), catalogue[name]);
      assert.ok(catalogue[name] < 2 ** (8 * checksum.bytes));
      assert.equal(
        checksum.of(Buffer.concat([Buffer.from('ab'), checked, Buffer.from('c')]), 2, 11),
        catalogue[name],
      );
    });
  }
});

interface Kind {
  framing: Framing;
  /** Bytes on the wire. */
  written: (packet: Uint8Array) => Uint8Array;
  /** Packets that can be sent so. */
  packet: fc.Arbitrary<Uint8Array>;
}

/** Packets end in a sum of 32 bits, so that the sink can tell them from noise without ever being wrong. */
const sumOf = (bytes: Uint8Array): Buffer => {
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(bytes));
  return sum;
};
const withSum = (packet: Uint8Array): Uint8Array => Buffer.concat([packet, sumOf(packet)]);
const anyPacket = fc.uint8Array({ minLength: 1, maxLength: 600 });
const sync = Uint8Array.of(0xb5, 0x62);

const kinds: Record<string, Kind> = {
  cobs: { framing: { type: 'cobs' }, written: cobsEncoded, packet: anyPacket.map(withSum) },
  slip: { framing: { type: 'slip' }, written: slipEncoded, packet: anyPacket.map(withSum) },
  delimiter: {
    framing: { type: 'delimiter', delimiter: Buffer.from('\r\n') },
    written: (packet) => Buffer.concat([packet, Buffer.from('\r\n')]),
    packet: fc
      .uint8Array({ minLength: 1, maxLength: 300, min: 14 })
      .map(withSum)
      .filter((packet) => !packet.subarray(-4).some((byte) => byte === 10 || byte === 13)),
  },
  'fixed with a sync word': {
    framing: { type: 'fixed', sync, length: 36 },
    written: (packet) => packet,
    packet: fc
      .uint8Array({ minLength: 30, maxLength: 30 })
      .map((body) => withSum(Uint8Array.of(...sync, ...body))),
  },
  'length-prefixed': {
    framing: {
      type: 'length-prefixed',
      sync,
      lengthAt: 2,
      lengthBytes: 2,
      lengthAdds: 8,
      bigEndian: false,
    },
    written: (packet) => packet,
    packet: fc
      .uint8Array({ maxLength: 500 })
      .map((body) => withSum(Uint8Array.of(...sync, body.length & 0xff, body.length >> 8, ...body))),
  },
};

/** Feeds the stream in pieces; returns the packets whose sum is right, and all other bytes. */
function cut(framing: Framing, pieces: Uint8Array[]): { packets: string[]; noiseBytes: number } {
  const packets: string[] = [];
  let noiseBytes = 0;
  const framer = createFramer(framing, 1024);
  const sink: PacketSink = {
    packet(bytes, start, end) {
      const body = bytes.subarray(start, end - 4);
      if (end - start < 5 || sumOf(body).compare(bytes, end - 4, end) !== 0) return false;
      packets.push(Buffer.from(bytes.subarray(start, end)).toString('hex'));
      return true;
    },
    noise(_bytes, start, end) {
      assert.ok(end > start);
      noiseBytes += end - start;
    },
  };
  for (const piece of pieces) framer.take(piece, sink);
  framer.reset(sink);
  return { packets, noiseBytes };
}

const pieces = (stream: Uint8Array, lengths: number[]): Uint8Array[] => {
  const cuts: Uint8Array[] = [];
  for (let at = 0, i = 0; at < stream.length; i++) {
    const length = lengths[i % lengths.length];
    cuts.push(stream.subarray(at, at + length));
    at += length;
  }
  return cuts;
};

const pieceLengths = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 8 });

for (const [name, { framing, written, packet }] of Object.entries(kinds)) {
  describe(`packets, ${name}`, () => {
    it('come out as they were sent, however the stream is cut', () => {
      fc.assert(
        fc.property(fc.array(packet, { maxLength: 20 }), pieceLengths, (sent, lengths) => {
          const stream = Buffer.concat(sent.map(written));
          const { packets, noiseBytes } = cut(framing, pieces(stream, lengths));
          assert.deepEqual(
            packets,
            sent.map((one) => Buffer.from(one).toString('hex')),
          );
          assert.equal(noiseBytes, 0);
        }),
        { numRuns: 200 },
      );
    });

    it('survive a broken one before them: the next good packet is found', () => {
      fc.assert(
        fc.property(
          packet,
          packet,
          packet,
          fc.nat(),
          fc.nat(255),
          pieceLengths,
          (a, broken, b, at, change, lengths) => {
            const spoilt = Buffer.from(written(broken));
            spoilt[at % spoilt.length] ^= change | 1;
            const shortened = Buffer.from(written(broken)).subarray(0, at % written(broken).length);
            for (const noise of [spoilt, shortened]) {
              // What ends a packet must come before the next one, or both are one to anybody who listens.
              const end = ['cobs', 'slip', 'delimiter'].includes(name)
                ? written(a).subarray(-2)
                : Buffer.alloc(0);
              const rest = Buffer.concat([noise, end, written(b), written(a)]);
              // What was cut off may be what comes next: then it isn't broken, and what comes next is.
              if (rest.subarray(0, written(broken).length).equals(written(broken))) continue;
              const stream = Buffer.concat([written(a), rest]);
              const { packets } = cut(framing, pieces(stream, lengths));
              const hexOf = (one: Uint8Array): string => Buffer.from(one).toString('hex');
              assert.equal(packets[0], hexOf(a));
              assert.deepEqual(packets.slice(-2), [hexOf(b), hexOf(a)]);
            }
          },
        ),
        { numRuns: 300 },
      );
    });

    it('are found in noise, of which each byte is told once', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 5000 }), pieceLengths, (noise, lengths) => {
          const { packets, noiseBytes } = cut(framing, pieces(noise, lengths));
          if (packets.length === 0 && name !== 'cobs' && name !== 'slip' && name !== 'delimiter') {
            assert.equal(noiseBytes, noise.length);
          }
          assert.ok(noiseBytes <= noise.length);
        }),
        { numRuns: 200 },
      );
    });
  });
}

describe('packets of a fixed length without a sync word', () => {
  it('are found by their checksum alone', () => {
    const framing: Framing = { type: 'fixed', sync: new Uint8Array(0), length: 20 };
    const packet = withSum(Uint8Array.from({ length: 16 }, (_, i) => 7 * i + 3));
    const stream = Buffer.concat([Buffer.from([1, 2, 3]), packet, packet, packet]);
    const { packets } = cut(framing, [stream]);
    assert.equal(packets.at(-1), Buffer.from(packet).toString('hex'));
    assert.ok(packets.length >= 2);
  });
});

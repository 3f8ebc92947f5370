import assert from 'node:assert/strict';
import packets from 'mqtt-packet';
import { fillLengthCache } from '@fleetlog/shared/mqtt';
import { leastOfEach, slopePerHour } from '../support/slope.js';

const MiB = 2 ** 20;

describe('memory', () => {
  it('of packet lengths is taken once, not with each length that a connection meets', () => {
    fillLengthCache();
    const slabs = new Set<ArrayBufferLike>();
    let written: (Uint8Array | string)[] = [];
    const write = (bytes: Uint8Array | string): boolean => written.push(bytes) > 0;
    const stream = { write, cork() {}, uncork() {}, destroy() {} } as unknown as NodeJS.WritableStream;
    const facts = { qos: 0, dup: false, retain: false, topic: 'abc' } as const;
    for (let bytes = 200; bytes < 16_300; bytes += 100) {
      Buffer.allocUnsafe(30_000); // others use the shared buffers meanwhile
      written = [];
      packets.writeToStream({ cmd: 'publish', ...facts, payload: Buffer.allocUnsafeSlow(bytes) }, stream);
      const [, length] = written; // behind the kind of the packet
      assert.ok(typeof length !== 'string' && length.length === 2);
      slabs.add(length.buffer);
    }
    const held = [...slabs].reduce((sum, { byteLength }) => sum + byteLength, 0);
    assert.ok(held < MiB, `${held} bytes held`);
  });

  it('that grows is told from memory that rises and falls', () => {
    const sawtooth = (perHour: number): { hours: number; bytes: number }[] =>
      Array.from({ length: 600 }, (_, i) => ({
        hours: i / 600,
        bytes: 1e8 + (perHour * i) / 600 + (i % 7) * 1e6,
      }));
    const slope = (perHour: number): number => slopePerHour(leastOfEach(sawtooth(perHour), 1 / 30));
    assert.ok(Math.abs(slope(0)) < 0.1 * MiB);
    assert.ok(Math.abs(slope(5 * MiB) - 5 * MiB) < 0.2 * MiB);
  });
});

import assert from 'node:assert/strict';
import packets from 'mqtt-packet';
import { fillLengthCache } from '@fleetlog/shared/mqtt';
import { leastOfEach, trendOf } from '../support/slope.js';

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
    // One by one it would be 10 MiB. Tests before this one may have met some of them.
    assert.ok(held < 5 * MiB, `${held} bytes held`);
  });

  it('that grows is told from memory that rises and falls, and how certain that is', () => {
    const sawtooth = (perHour: number, outliers = 0): { hours: number; bytes: number }[] =>
      Array.from({ length: 600 }, (_, i) => ({
        hours: i / 600,
        bytes: 1e8 + (perHour * i) / 600 + (i % 7) * 1e6 + (i % 200 < outliers ? 1e8 : 0),
      }));
    for (const perHour of [0, 5 * MiB]) {
      for (const outliers of [0, 30]) {
        const trend = trendOf(leastOfEach(sawtooth(perHour, outliers), 1 / 60));
        assert.ok(Math.abs(trend.perHour - perHour) < 0.2 * MiB, `${trend.perHour}`);
        assert.ok(trend.low <= perHour && trend.high >= perHour && trend.high - trend.low < 2 * MiB);
      }
    }
  });

  it('of which little is known yet has a wide interval', () => {
    const few = [3, 1, 4, 1, 5].map((bytes, hours) => ({ hours, bytes }));
    const { low, high } = trendOf(few);
    assert.ok(low < 0 && high > 0);
  });
});

import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  CandumpParser,
  CanFrames,
  CAN_EFF_FLAG,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  FRAME_FD,
} from '@fleetlog/shared/can';
import { CanBus, candumpText, type CanBusOptions } from '#sim/vehicle/can-bus.js';
import { extraKinds, vehicleMessages } from '#sim/vehicle/messages.js';

const startUs = 1_700_000_000_000_000;

interface Line {
  timeUs: number;
  id: number;
  data: Buffer;
}

function linesOf(options: Partial<CanBusOptions> & { durationUs: number }): Line[] {
  const text = Buffer.concat([...candumpText({ seed: 1, startUs, ...options })]).toString();
  assert.ok(text.endsWith('\n'));
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const match = /^\((\d{10})\.(\d{6})\) can0 ([0-9A-F]{3}|[0-9A-F]{8})(?:#|##1)([0-9A-F]*|R\d?)$/.exec(
        line,
      );
      assert.ok(match, line);
      return {
        timeUs: Number(match[1]) * 1e6 + Number(match[2]),
        id: parseInt(match[3], 16),
        data: Buffer.from(match[4], 'hex'),
      };
    });
}

describe('the simulated CAN bus', () => {
  it('says the same for the same seed, and something else for another', () => {
    const text = (seed: number): string =>
      Buffer.concat([...candumpText({ seed, startUs, durationUs: 2e6 })]).toString();
    assert.equal(text(5), text(5));
    assert.notEqual(text(5), text(6));
  });

  it('says the same however the time is cut into pieces', () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 32),
        fc.array(fc.integer({ min: 1, max: 200_000 }), { maxLength: 20 }),
        (seed, cuts) => {
          const durationUs = cuts.reduce((sum, cut) => sum + cut, 50_000);
          const whole = Buffer.concat([...candumpText({ seed, startUs, durationUs, extras: extraKinds })]);
          const bus = new CanBus({ seed, startUs, extras: extraKinds });
          const pieces: Uint8Array[] = [];
          let elapsedUs = 0;
          for (const cut of [...cuts, 50_000]) {
            elapsedUs += cut;
            for (let piece = bus.next(elapsedUs); piece.length > 0; piece = bus.next(elapsedUs))
              pieces.push(piece);
          }
          assert.ok(whole.equals(Buffer.concat(pieces)));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('carries 1,500 to 3,000 frames a second, and never two at once', () => {
    const lines = linesOf({ durationUs: 20e6 });
    assert.ok(lines.length > 20 * 1500 && lines.length < 20 * 3000, `${lines.length} frames`);
    for (let i = 1; i < lines.length; i++) {
      const betweenUs = lines[i].timeUs - lines[i - 1].timeUs;
      const onWireUs = (47 + lines[i].data.length * 8) * 2;
      assert.ok(betweenUs >= onWireUs - 13, `frame ${i} ends ${betweenUs} µs after the one before it`);
    }
  });

  it('keeps to the cycle of each identifier within jitter and clock error', () => {
    const durationUs = 30e6;
    const counts = new Map<number, number>();
    for (const { id } of linesOf({ durationUs })) counts.set(id, (counts.get(id) ?? 0) + 1);
    assert.equal(counts.size, vehicleMessages.length);
    for (const { id, periodMs } of vehicleMessages) {
      const expected = durationUs / 1000 / periodMs;
      assert.ok(Math.abs((counts.get(id) ?? 0) - expected) <= 1 + expected * 0.001, `id ${id.toString(16)}`);
    }
  });

  it('counts its frames and signs them with a CRC-8', () => {
    const counted = vehicleMessages.filter(
      ({ checksumByte, counterBit }) => checksumByte === 7 && counterBit === 52,
    );
    assert.ok(counted.length > 5);
    const lines = linesOf({ durationUs: 3e6 });
    for (const { id } of counted) {
      const frames = lines.filter((line) => line.id === id);
      frames.forEach(({ data }, i) => {
        assert.equal(data[7], crc8([id & 0xff, ...data.subarray(0, 7)]));
        assert.equal(data[6] & 15, ((frames[0].data[6] & 15) + i) & 15);
      });
    }
  });

  it('moves like a vehicle: all wheels agree, the engine turns, the speed changes without jumps', () => {
    const speeds = linesOf({ durationUs: 120e6, seed: 4 })
      .filter(({ id }) => id === 0x215)
      .map(({ data }) => [0, 2, 4, 6].map((at) => data.readUInt16BE(at) * 0.01 - 100));
    assert.ok(Math.max(...speeds.map(([first]) => first)) > 25);
    speeds.forEach((wheels, i) => {
      assert.ok(Math.max(...wheels) - Math.min(...wheels) < 8, `wheels ${wheels.join(' ')}`);
      if (i > 0) assert.ok(Math.abs(wheels[0] - speeds[i - 1][0]) < 3, `jump at ${i}`);
    });
  });

  it('writes extended, remote, FD and error frames where asked, all as candump does', () => {
    const parser = new CandumpParser();
    const frames = new CanFrames();
    const text = Buffer.concat([...candumpText({ seed: 9, startUs, durationUs: 10e6, extras: extraKinds })]);
    for (let at = 0; at < text.length; at = parser.lineEnd) {
      assert.equal(parser.parseLine(text, at, frames), 0, text.toString('utf8', at, at + 80));
    }
    assert.equal(frames.verbatim.size, 0);
    const ids = [...frames.id.subarray(0, frames.count)];
    const flags = [...frames.flags.subarray(0, frames.count)];
    assert.ok(ids.some((id, i) => id >= CAN_EFF_FLAG && !(flags[i] & FRAME_FD)));
    assert.ok(ids.some((id) => id < CAN_EFF_FLAG && id & CAN_RTR_FLAG));
    assert.ok(ids.some((id) => id < CAN_EFF_FLAG && id & CAN_ERR_FLAG));
    assert.ok(flags.some((flag) => flag & FRAME_FD));
  });

  it('sends more often with a higher rate, up to a full bus', () => {
    const count = (rate: number): number => linesOf({ durationUs: 2e6, rate }).length;
    assert.ok(count(0.5) < count(1) * 0.55);
    assert.ok(count(1.7) > count(1) * 1.6);
    assert.ok(count(4) < 2 * 5000);
  });
});

function crc8(bytes: number[]): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80 ? ((crc << 1) ^ 0x1d) & 0xff : crc << 1;
  }
  return crc;
}

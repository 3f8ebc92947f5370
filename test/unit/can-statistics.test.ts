import assert from 'node:assert/strict';
import {
  CAN_EFF_FLAG,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  CanFrames,
  FRAME_BRS,
  FRAME_FD,
} from '@fleetlog/shared/can';
import { BusWatch } from '#gateway/bus/bus-watch.js';
import { CanStatistics, IDS_MAX } from '#gateway/bus/can-statistics.js';
import { fastBits, nominalBits, StuffBits } from '#gateway/bus/frame-bits.js';
import { FakeClock } from '../support/fake-clock.js';

interface Sent {
  timeUs: number;
  id: number;
  data?: number[];
  flags?: number;
  bus?: string;
}

function batch(...sent: Sent[]): CanFrames {
  const frames = new CanFrames();
  for (const { timeUs, id, data = [], flags = 0, bus = 'can0' } of sent) {
    frames.append(
      timeUs,
      id,
      flags,
      data.length,
      frames.busIndex(bus),
      Uint8Array.from(data),
      0,
      data.length,
    );
  }
  return frames;
}

/** Every 10 ms for so many seconds. */
const steady = (seconds: number, id: number, startUs = 0): Sent[] =>
  Array.from({ length: seconds * 100 + 1 }, (_, i) => ({
    timeUs: startUs + i * 10_000,
    id,
    data: [i & 255, 85],
  }));

describe('statistics of CAN frames', () => {
  it('know the length of a frame on the wire, stuff bits included', () => {
    // ISO 11898-1: 47 bits and 8 for each byte, 67 with a long identifier.
    assert.equal(nominalBits(0x123, 0, 8), 111);
    assert.equal(nominalBits(CAN_EFF_FLAG | 0x123, 0, 8), 131);
    assert.equal(nominalBits(CAN_RTR_FLAG | 0x123, 0, 0), 47);
    assert.equal(nominalBits(0x123, FRAME_FD | FRAME_BRS, 64), 30);
    assert.equal(fastBits(FRAME_FD | FRAME_BRS, 64), 5 + 512 + 32);
    assert.equal(nominalBits(0x123, FRAME_FD, 8), 30 + 5 + 64 + 27);
    const stuff = new StuffBits();
    // Identifier 0 without data: SOF and all that follows are 0, and so is the CRC: 34 bits of the same, with one in between each five.
    stuff.measure(0, 0, 0, new Uint8Array(0), 0, 0);
    assert.equal(stuff.nominal, 6);
    stuff.measure(0x555, 0, 8, new Uint8Array(8).fill(0x55), 0, 8);
    assert.ok(stuff.nominal <= 4, `${stuff.nominal}`);
    stuff.measure(0, FRAME_FD | FRAME_BRS, 15, new Uint8Array(64), 0, 64);
    assert.ok(stuff.fast > 100 && stuff.fast <= 129, `${stuff.fast}`);
  });

  it('count frames, rates and the last value of each identifier', () => {
    const statistics = new CanStatistics();
    statistics.add(batch(...steady(12, 0x123)), 1000);
    statistics.add(batch({ timeUs: 12_005_000, id: CAN_EFF_FLAG | 0x18fef100, data: [1, 2, 3] }), 2000);
    statistics.add(batch({ timeUs: 12_006_000, id: CAN_ERR_FLAG | 4, data: [0, 8, 0, 0, 0, 0, 0, 0] }), 3000);
    const [bus] = statistics.buses(3000);
    assert.deepEqual([bus.bus, bus.frames, bus.errorFrames, bus.framesPerSecond], ['can0', 1202, 1, 100]);
    assert.ok(bus.bitsPerSecond > 100 * 63 && bus.bitsPerSecond < 100 * 78, `${bus.bitsPerSecond}`);
    const [short, long] = statistics.identifiers(3000);
    assert.deepEqual([short.id, short.frames, short.framesPerSecond], [0x123, 1201, 100]);
    assert.deepEqual([...short.data], [1200 & 255, 85]);
    assert.equal(long.id, (CAN_EFF_FLAG | 0x18fef100) >>> 0);
    assert.deepEqual([long.frames, long.lastTimeUs, [...long.data]], [1, 12_005_000, [1, 2, 3]]);
  });

  it('say that a bus is silent as soon as it is, and that it was', () => {
    const statistics = new CanStatistics();
    statistics.add(batch(...steady(3, 0x123)), 1000);
    assert.equal(statistics.buses(1e6)[0].framesPerSecond, 100);
    assert.equal(statistics.buses(9e6)[0].framesPerSecond, 0);
    statistics.add(batch(...steady(1, 0x123, 60e6)), 60e6);
    assert.equal(statistics.buses(60e6)[0].framesPerSecond, 100);
  });

  it('keep the buses of a stream apart, and go on when the clock steps back', () => {
    const statistics = new CanStatistics();
    statistics.add(batch({ timeUs: 9e6, id: 1 }, { timeUs: 9e6, id: 1, bus: 'can1' }), 0);
    statistics.add(batch({ timeUs: 1e6, id: 1, bus: 'can1' }, ...steady(2, 1, 1e6)), 0);
    const [can0, can1] = statistics.buses(0);
    assert.deepEqual([can0.frames, can0.framesPerSecond, can1.bus, can1.frames], [202, 100, 'can1', 2]);
    assert.equal(statistics.identifiers(0).length, 2);
  });

  it('have a limit: frames of more identifiers are counted without them', () => {
    const statistics = new CanStatistics();
    const many = Array.from({ length: IDS_MAX + 500 }, (_, i) => ({
      timeUs: i,
      id: CAN_EFF_FLAG + i * 7919,
    }));
    statistics.add(batch(...many), 0);
    statistics.add(batch(...many), 0);
    assert.equal(statistics.buses(0)[0].frames, 2 * many.length);
    assert.ok(statistics.identifiers(0).every(({ frames }) => frames === 2));
    assert.equal(statistics.identifiers(0).length, IDS_MAX);
  });

  it('are read in one thread while another writes, also after that one died', () => {
    const reader = new CanStatistics(['can0']);
    assert.deepEqual(
      reader.buses(0).map(({ bus, frames }) => [bus, frames]),
      [['can0', 0]],
    );
    new CanStatistics(['can0'], reader.memory).add(batch({ timeUs: 1, id: 5, data: [9] }), 0);
    new Int32Array(reader.memory)[0] |= 1; // as if it had died in the middle
    new CanStatistics(['can0'], reader.memory).add(batch({ timeUs: 2, id: 5, data: [8] }), 0);
    assert.equal(new Int32Array(reader.memory)[0] % 2, 0);
    const [{ frames, data }] = reader.identifiers(0);
    assert.deepEqual([frames, [...data]], [2, [8]]);
  });

  it('tell the load of a bus by its bit rate: of CAN FD by both', () => {
    const clock = new FakeClock();
    const loadOf = (flags: number, bitrate?: number, dataBitrate?: number): number | undefined => {
      const statistics = new CanStatistics();
      const data = Array.from({ length: 64 }, (_, i) => i * 37);
      const frames = Array.from({ length: 1001 }, (_, i) => ({ timeUs: i * 1000, id: 0x123, flags, data }));
      for (let at = 0; at < frames.length; at += 50) {
        statistics.add(batch(...frames.slice(at, at + 50)), clock.monotonicUs());
      }
      const link = (): undefined => undefined;
      return new BusWatch({ statistics, bitrate, dataBitrate, link, clock }).report()[0].load;
    };
    assert.equal(loadOf(FRAME_FD), undefined);
    const plain = loadOf(FRAME_FD, 1e6)!;
    assert.ok(plain > 0.579 && plain < 0.62, `${plain}`); // 579 bits without stuffing, 1,000 a second
    const fast = loadOf(FRAME_FD | FRAME_BRS, 1e6, 5e6)!;
    assert.ok(fast > 0.03 + 0.549 / 5 && fast < 0.15, `${fast}`);
  });
});

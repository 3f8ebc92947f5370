import assert from 'node:assert/strict';
import { VehicleBus } from '#sim/vehicle/ecu/bus.js';
import { FaultConfinement } from '#sim/vehicle/ecu/errors/fault-confinement.js';
import { frameBits } from '#sim/vehicle/ecu/frame-bits.js';
import type { Firmware } from '#sim/vehicle/firmware.js';
import { physicalKindOf } from '#sim/vehicle/kinds.js';
import { busStateOf } from '#gateway/sources/socketcan/bus-state.js';
import { listen, type BusFrame } from '../support/bus-frames.js';

const startUs = 1_767_254_400_000_000;
const kind = 'combustion-car';
const { create, network } = physicalKindOf(kind)!;
const bitUs = 1e6 / network.bitrate;
const WHEELS = 0x0b0; // the first by priority, of ABS
const abs = new Set(network.messages.filter(({ sender }) => sender === 'ABS').map(({ id }) => id));

const busOf = (firmware: Firmware, seed = 4): VehicleBus =>
  new VehicleBus(create(seed), network, { seed, startUs, firmware });
const failing = (node: string, share = 1, restartUs = 100_000): Firmware => ({
  diagnosticsUs: 1e6,
  disturbances: { bitErrorRate: 0, faults: [{ node, atUs: 5e6, forUs: 2e6, share, restartUs }] },
});

describe('error counters of ISO 11898-1', () => {
  it('make a sender passive with the 16th error in a row, and take it off the bus with the 32nd', () => {
    const node = new FaultConfinement('X');
    const states = Array.from({ length: 32 }, () => {
      const isOff = node.failedSending();
      assert.equal(isOff, node.state === 'bus-off');
      return node.state;
    });
    assert.equal(states.indexOf('error-warning'), 11); // 96
    assert.equal(states.indexOf('error-passive'), 15); // 128
    assert.equal(states.indexOf('bus-off'), 31); // 256
    node.recover();
    assert.equal(node.state, 'error-active');
  });

  it('take eight frames for what one error has added, and never take a receiver off the bus', () => {
    const node = new FaultConfinement('X');
    node.failedSending();
    for (let i = 0; i < 8; i++) node.sent();
    assert.equal(node.transmitErrors, 0);
    node.sent();
    assert.equal(node.transmitErrors, 0);
    for (let i = 0; i < 1000; i++) node.failedReceiving();
    assert.equal(node.state, 'error-passive');
    node.received();
    assert.equal(node.receiveErrors, 120);
    assert.notEqual(node.state, 'error-passive');
  });
});

describe('a simulated bus with errors', () => {
  it('sends nothing of a node that fails, until it is back; 32 error frames each time', () => {
    const bus = busOf(failing('ABS'));
    const frames = listen(bus, startUs, 12e6);
    const own = frames.filter(({ id, isError }) => !isError && abs.has(id));
    const within = (fromUs: number, toUs: number, list: BusFrame[]): BusFrame[] =>
      list.filter(({ timeUs }) => timeUs >= fromUs && timeUs < toUs);
    assert.equal(within(5e6, 7e6, own).length, 0);
    assert.ok(within(4e6, 5e6, own).length > 280 && within(8e6, 9e6, own).length > 280);
    const errors = frames.filter(({ isError }) => isError);
    const { busOffs, destroyed } = bus.counters;
    assert.equal(errors.filter(({ id }) => (id & 0x88) === 0x88).length, destroyed);
    assert.ok(busOffs >= 15 && busOffs <= 20, `${busOffs} in 2 s of at least 100 ms`);
    assert.equal(Math.floor(destroyed / 32), busOffs);
    const counters = bus.disturbances!.nodes.get('ABS')!;
    assert.equal(counters.state, 'error-active');
    assert.equal(counters.transmitErrors, 0, 'counted down by what came through');
  });

  it('has a load of what came through and what was destroyed, within the bounds of theory', () => {
    const bus = busOf({ disturbances: { bitErrorRate: 1e-4, faults: [] } });
    const frames = listen(bus, startUs, 30e6);
    const good = frames.filter(({ isError }) => !isError);
    const goodUs = good.reduce((sum, { id, data }) => sum + frameBits(id, false, data) * bitUs, 0);
    const { destroyed, busyUs } = bus.counters;
    const perErrorBits = (busyUs - goodUs) / bitUs / destroyed;
    // One bit at least and all but its tail at most, 6 to 12 of flags, 8 of delimiter, 3 between frames.
    assert.ok(perErrorBits > 1 + 6 + 11 && perErrorBits < 135 + 12 + 11, `${perErrorBits} bits per error`);
    assert.ok(perErrorBits > 60 && perErrorBits < 90, `${perErrorBits}: in the middle of a frame on average`);
    const share = destroyed / (good.length + destroyed);
    const meanBits = goodUs / bitUs / good.length;
    const expected = 1 - (1 - 1e-4) ** meanBits;
    const deviation = Math.sqrt((expected * (1 - expected)) / good.length);
    assert.ok(Math.abs(share - expected) < 5 * deviation, `${share} of ${expected}`);
  });

  it('sends a destroyed frame again as it was: no counter of a message is left out', () => {
    const frames = listen(busOf({ disturbances: { bitErrorRate: 2e-4, faults: [] } }), startUs, 20e6);
    const inertia = network.messages.find(({ name }) => name === 'Inertia')!;
    const counts = frames.filter(({ id }) => id === inertia.id).map(({ data }) => data[6] & 15);
    assert.ok(counts.length > 1900);
    for (let i = 1; i < counts.length; i++) assert.equal(counts[i], (counts[i - 1] + 1) & 15);
    assert.ok(frames.some(({ isError }) => isError));
  });

  it('lets a passive sender wait 8 bits more behind its own frames, an active one none', () => {
    // Two frames a millisecond of 111 bits or more at 250 kbit/s: often one waits for the other.
    const messages = [0x100, 0x101].map((id) => ({
      name: `M${id}`,
      id,
      sender: 'A',
      length: 8,
      cycleMs: 1,
      comment: '',
      signals: [],
    }));
    const slow = { name: 'busy', bitrate: 250_000, nodes: { A: '' }, messages };
    // 0.11 · 8 ≈ 0.89: about as many errors as a counter can stand.
    const faults = [{ node: 'A', atUs: 0, forUs: 60e6, share: 0.12, restartUs: 0 }];
    const firmware = { disturbances: { bitErrorRate: 0, faults } };
    const bus = new VehicleBus(create(4), slow, { seed: 4, startUs, firmware });
    const gapsUs: Record<'active' | 'passive', number[]> = { active: [], passive: [] };
    let last: { timeUs: number; isPassive: boolean } | undefined;
    for (let untilUs = 1e4; untilUs < 20e6; untilUs += 100) {
      for (const { timeUs, id, isError, data } of listen(bus, startUs, untilUs)) {
        const beganUs = timeUs - frameBits(id, false, data) * 4;
        if (!isError && last) gapsUs[last.isPassive ? 'passive' : 'active'].push(beganUs - last.timeUs);
        const { isPassive } = bus.disturbances!.nodes.get('A')!;
        last = isError ? undefined : { timeUs, isPassive };
      }
    }
    // Time stamps are up to 12 µs late.
    assert.ok(
      gapsUs.passive.length > 100 && Math.min(...gapsUs.passive) >= 32 - 14,
      `${Math.min(...gapsUs.passive)}`,
    );
    assert.ok(gapsUs.active.length > 100 && Math.min(...gapsUs.active) < 14, `${Math.min(...gapsUs.active)}`);
  });

  it("tells of the listener's own controller what the kernel would: passive, off, deaf, back", () => {
    const frames = listen(busOf(failing('GATEWAY', 1, 500_000)), startUs, 12e6);
    const told = frames
      .filter(({ isError }) => isError)
      .map(({ timeUs, id, data }) => ({ timeUs, state: busStateOf(id & 0x1fff_ffff, data[1]) }))
      .filter(({ state }) => state !== undefined);
    assert.deepEqual(
      told.slice(0, 4).map(({ state }) => state),
      ['error-warning', 'error-passive', 'bus-off', 'restarted'],
    );
    const [, , off, back] = told;
    assert.ok(back.timeUs - off.timeUs >= 500_000);
    assert.ok(!frames.some(({ timeUs }) => timeUs > off.timeUs && timeUs < back.timeUs), 'it hears nothing');
    assert.ok(
      frames.some(({ id, timeUs }) => id === 0x7e8 && timeUs > 9e6),
      'it asks again, and is answered',
    );
  });

  it('counts as a receiver: one more by each error, one less by each frame', () => {
    const [first, second] = listen(busOf(failing('ABS')), startUs, 6e6).filter(({ isError }) => isError);
    assert.equal(first.data[7], 1);
    assert.equal(second.data[7], 2, 'sent again at once');
    assert.equal(first.id, 0x2000_0288);
  });

  it('is the same for the same seed, and says what it says without where nothing happens', () => {
    const firmware = { disturbances: { bitErrorRate: 1e-5, faults: [] } };
    assert.deepEqual(listen(busOf(firmware), startUs, 5e6), listen(busOf(firmware), startUs, 5e6));
    const quiet = listen(busOf(failing('ABS')), startUs, 4.9e6);
    assert.deepEqual(quiet, listen(busOf({ diagnosticsUs: 1e6 }), startUs, 4.9e6));
    assert.ok(quiet.some(({ id }) => id === WHEELS));
  });
});

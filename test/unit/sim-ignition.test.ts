import assert from 'node:assert/strict';
import { parseDbc } from '#cloud/signals/dbc/parser.js';
import { VehicleBus } from '#sim/vehicle/ecu/bus.js';
import { dbcText } from '#sim/vehicle/ecu/dbc.js';
import { describedNetwork } from '#sim/vehicle/ecu/power/management.js';
import type { IgnitionPeriod } from '#sim/vehicle/firmware.js';
import { GpsFixes } from '#sim/vehicle/gps-fixes.js';
import { Ignition } from '#sim/vehicle/ignition.js';
import { kindNames, physicalKindOf } from '#sim/vehicle/kinds.js';
import { referenceValue } from '../support/reference-decoder.js';
import { listen, type BusFrame } from '../support/bus-frames.js';

const startUs = 1_767_254_400_000_000;
const seed = 5;
const periods: IgnitionPeriod[] = [{ onUs: 2e6, offUs: 20e6 }, { onUs: 200e6 }];
const kinds = kindNames.filter((name) => physicalKindOf(name));

/** When the key really was turned, by the vehicle alone. */
function turnsOf(kind: string): number[] {
  const ignition = new Ignition(physicalKindOf(kind)!.create(seed), periods);
  const turns: number[] = [];
  for (let us = 0; us <= 201e6; us += 10_000) {
    ignition.advanceTo(us);
    if (ignition.turnedUs === us && us > 0) turns.push(us);
  }
  return turns;
}

for (const kind of kinds) {
  describe(`the key of a ${kind}`, function () {
    this.timeout(30_000);
    const { create, network } = physicalKindOf(kind)!;
    let frames: BusFrame[];
    let turns: number[];
    before(() => {
      const firmware = { ignition: periods, diagnosticsUs: 5e6 };
      frames = listen(new VehicleBus(create(seed), network, { seed, startUs, firmware }), startUs, 206e6);
      turns = turnsOf(kind);
    });
    const within = (fromUs: number, toUs: number): BusFrame[] =>
      frames.filter(({ timeUs }) => timeUs >= fromUs && timeUs < toUs);

    it('is turned off when the vehicle stands, and on again when it is time', () => {
      assert.equal(turns.length, 3, turns.join(' '));
      assert.ok(
        turns[0] === 2e6 && turns[1] >= 20e6 && turns[1] < 190e6 && turns[2] === 200e6,
        turns.join(' '),
      );
    });

    it('wakes control units one by one: first what says that they are there, then their messages', () => {
      assert.deepEqual(within(0, 2e6), [], 'asleep before');
      for (const onUs of [turns[0], turns[2]]) {
        const awake = within(onUs, onUs + 5.5e6);
        const messages = network.messages.filter(({ cycleMs }) => cycleMs <= 1000);
        const firsts = messages.map(({ id }) => awake.find((frame) => frame.id === id)!.timeUs - onUs);
        for (const [i, { name, wakesMs = 0 }] of messages.entries()) {
          // What tells that a node has started may have the identifier of its heartbeat.
          if (name.endsWith('Heartbeat')) continue;
          assert.ok(firsts[i] >= wakesMs * 1000 && firsts[i] < (wakesMs + 1000) * 1000 + 10_000, name);
        }
        assert.ok(new Set(firsts).size === firsts.length, 'not together');
        const ids = new Set(network.messages.map(({ id }) => id));
        const [first] = awake;
        assert.ok(!ids.has(first.id) || first.data[0] === 0, 'the first word is of the network management');
      }
    });

    it('lets the bus fall asleep within 3 s, messages last, and then says nothing at all', () => {
      const offUs = turns[1];
      const ids = new Set(network.messages.map(({ id }) => id));
      const asleep = within(offUs, offUs + 3e6);
      assert.ok(asleep.length > 0, 'control units still have work');
      assert.ok(ids.has(asleep.at(-1)!.id), 'messages end when nobody needs the network any more');
      const lastUs = asleep.at(-1)!.timeUs - offUs;
      assert.ok(lastUs > 0.5e6 && lastUs < 2.8e6, `${lastUs}`);
      assert.deepEqual(within(offUs + 3e6, 200e6), []);
    });

    it('is the same however the time is cut', () => {
      const bus = new VehicleBus(create(seed), network, {
        seed,
        startUs,
        firmware: { ignition: periods, diagnosticsUs: 5e6 },
      });
      const pieces = [1.99e6, 2e6, 2.003e6, 9e6].flatMap((untilUs) => listen(bus, startUs, untilUs));
      assert.deepEqual(pieces, within(0, 9.1e6).slice(0, pieces.length));
      assert.ok(pieces.length > 100);
    });
  });
}

describe('ignition', () => {
  it('leaves the vehicle where it stands, and takes it on from there', () => {
    const motion = (ignition?: IgnitionPeriod[]): GpsFixes =>
      new GpsFixes({
        seed,
        startUs,
        motion: physicalKindOf('truck')!.create(seed),
        ...(ignition && { firmware: { ignition } }),
      });
    const parked = motion(periods);
    const places = Array.from({ length: 206 }, () => parked.next(Infinity)!.place!);
    const off = Math.ceil(turnsOf('truck')[1] / 1e6);
    const standing = places.slice(off + 1, 200);
    assert.ok(standing.length > 5 && standing.every(({ speedMps }) => speedMps === 0));
    assert.ok(places.some(({ speedMps }) => speedMps > 3));
  });

  it('stops the engine in what the bus says', () => {
    const { create, network } = physicalKindOf('combustion-car')!;
    const bus = new VehicleBus(create(seed), network, { seed, startUs, firmware: { ignition: periods } });
    const offUs = turnsOf('combustion-car')[1];
    const { messages } = parseDbc(Buffer.from(dbcText(network))).database;
    const message = messages.find(({ name }) => name === 'EngineStatus')!;
    const speed = message.signals.find(({ name }) => name === 'EngineSpeed')!;
    const speeds = listen(bus, startUs, offUs + 3e6)
      .filter(({ id, timeUs }) => id === message.id && timeUs > offUs - 1e6)
      .map(({ timeUs, data }) => [timeUs, referenceValue(speed, message, data)!]);
    assert.ok(speeds.filter(([us]) => us < offUs).every(([, rpm]) => rpm > 500));
    const after = speeds.filter(([us]) => us > offUs + 50_000);
    assert.ok(after.length > 10 && after.every(([, rpm]) => rpm < 20));
  });

  it('has network management that the database describes, in cars', () => {
    const network = describedNetwork(physicalKindOf('combustion-car')!.network);
    const { database, problems } = parseDbc(Buffer.from(dbcText(network)));
    assert.deepEqual(problems, []);
    const management = database.messages.filter(({ name }) => name.endsWith('NetworkManagement'));
    assert.equal(management.length, database.nodes.length);
    assert.deepEqual(
      management.map(({ id }) => id),
      management.map((_, i) => 0x500 + i),
    );
  });
});

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { parseDbc } from '#cloud/signals/dbc/parser.js';
import { VehicleBus } from '#sim/vehicle/ecu/bus.js';
import { dbcText } from '#sim/vehicle/ecu/dbc.js';
import { allSignals, type NetworkSpec } from '#sim/vehicle/ecu/description.js';
import { checksumOf } from '#sim/vehicle/ecu/encoder.js';
import { frameBits } from '#sim/vehicle/ecu/frame-bits.js';
import { kindNames, physicalKindOf } from '#sim/vehicle/kinds.js';
import { quantity as q } from '#sim/vehicle/physics/quantities.js';
import { listen as heardFrom, type BusFrame } from '../support/bus-frames.js';
import { referenceValue } from '../support/reference-decoder.js';
import { tempFolder } from '../support/temp-folder.js';

const startUs = 1_767_254_400_000_000;
const kinds = kindNames.filter((name) => physicalKindOf(name));
const networkOf = (kind: string): NetworkSpec => physicalKindOf(kind)!.network;
const python = process.env['FLEETLOG_TEST_PYTHON'] ?? 'python3';

function busOf(kind: string, seed: number): VehicleBus {
  const { create, network } = physicalKindOf(kind)!;
  return new VehicleBus(create(seed), network, { seed, startUs });
}

const listen = (bus: VehicleBus, untilUs: number): BusFrame[] => heardFrom(bus, startUs, untilUs);

for (const kind of kinds) {
  describe(`the network of a ${kind}`, function () {
    this.timeout(60_000);
    const network = networkOf(kind);
    const { database, problems } = parseDbc(Buffer.from(dbcText(network)));
    const frames = listen(busOf(kind, 42), 60e6);
    const framesOf = (name: string): BusFrame[] => {
      const { id } = network.messages.find((message) => message.name === name)!;
      return frames.filter((frame) => frame.id === id);
    };

    it('has a database that reads without an error or a warning, with everything that was described', () => {
      assert.deepEqual(problems, []);
      assert.deepEqual(database.nodes, Object.keys(network.nodes));
      assert.equal(database.messages.length, network.messages.length);
      for (const spec of network.messages) {
        const message = database.messages.find(({ name }) => name === spec.name)!;
        assert.equal(message.id, spec.id);
        assert.equal(message.format, spec.extended ? 'j1939' : 'standard');
        assert.equal(message.cycleTimeMs, spec.cycleMs);
        assert.ok(message.comment && message.sender);
        assert.deepEqual(
          message.signals.map(({ name }) => name).sort(),
          allSignals(spec)
            .map(({ name }) => name)
            .sort(),
        );
        for (const { labels, name } of spec.signals) {
          const parsed = message.signals.find((signal) => signal.name === name)!.labels;
          assert.deepEqual(Object.fromEntries(parsed ?? []), labels ?? {});
        }
      }
    });

    it('says with each frame what the database says that it says: values in range, near the truth', () => {
      const vehicle = physicalKindOf(kind)!.create(42);
      const byId = new Map(database.messages.map((message) => [message.id, message]));
      const specs = new Map(network.messages.map((spec) => [spec.id, spec]));
      let checked = 0;
      for (const { timeUs, id, isExtended, data } of frames) {
        const message = byId.get(id)!;
        const spec = specs.get(id)!;
        assert.equal(isExtended, message.isExtended);
        assert.equal(data.length, message.length);
        vehicle.advanceTo(Math.max(0, timeUs - 2000));
        for (const { name, from, scale = 1, factor, sensor = {}, offset, length, signed } of spec.signals) {
          const signal = message.signals.find((one) => one.name === name)!;
          const value = referenceValue(signal, message, data)!;
          assert.ok(value >= signal.minimum - 1e-9 && value <= signal.maximum + 1e-9, `${name}: ${value}`);
          if (sensor.delayMs || typeof from === 'number') continue;
          const steps = 2 ** length;
          const low = (signed ? -steps / 2 : 0) * factor + offset;
          const high = (signed ? steps / 2 - 1 : steps - 1) * factor + offset;
          const truth = Math.min(high, Math.max(low, vehicle.values[q[from]] * scale));
          // Four sigmas of bias, the most that the noise can be, half a step, and what changes in 20 ms.
          const room = 4 * (sensor.bias ?? 0) + 3.5 * (sensor.noise ?? 0) + factor / 2;
          const motion =
            Math.abs(truth) * 0.25 +
            (from.startsWith('engine') || from.startsWith('motor') ? 600 : 15) * Math.max(1, scale);
          if (Math.abs(value - truth) <= room) checked++;
          else assert.ok(Math.abs(value - truth) <= room + motion, `${name}: ${value}, truly ${truth}`);
        }
      }
      assert.ok(checked > frames.length / 2);
    });

    it('counts and sums its safe messages as it says', () => {
      for (const spec of network.messages.filter(({ counter, checksum }) => counter ?? checksum)) {
        const message = database.messages.find(({ name }) => name === spec.name)!;
        const counter = message.signals.find(({ name }) => name === `${spec.name}Counter`);
        let last: number | undefined;
        for (const { data } of framesOf(spec.name)) {
          if (spec.checksum) assert.equal(data[spec.checksum.byte], checksumOf(spec, data));
          if (!counter) continue;
          const count = referenceValue(counter, message, data)!;
          if (last !== undefined) assert.equal(count, (last + 1) % 2 ** counter.length, spec.name);
          last = count;
        }
        assert.ok(framesOf(spec.name).length > 10);
      }
    });

    it('sends what is cyclic in its cycle, and what is an event when something changes', () => {
      for (const { name, cycleMs, event, wakesMs = 0 } of network.messages) {
        const times = framesOf(name).map(({ timeUs }) => timeUs);
        const expected = (60_000 - wakesMs) / cycleMs;
        if (!event) {
          assert.ok(Math.abs(times.length - expected) <= 1.2 + expected * 0.001, `${name}: ${times.length}`);
        } else {
          assert.ok(times.length >= expected - 1.2, `${name}: ${times.length}`);
        }
        assert.ok(times[0] >= wakesMs * 1000, `${name} sleeps until ${wakesMs} ms`);
      }
      const vehicle = physicalKindOf(kind)!.create(42);
      const events = network.messages.filter(({ event }) => event);
      vehicle.advanceTo(1.2e6); // all are awake
      const before = events.map(({ event }) => vehicle.values[q[event!]]);
      let changes = 0;
      for (let timeUs = 1.21e6; timeUs < 59e6; timeUs += 10_000) {
        vehicle.advanceTo(timeUs);
        for (const [i, { event, name }] of events.entries()) {
          const value = vehicle.values[q[event!]];
          if (value === before[i]) continue;
          before[i] = value;
          changes++;
          const soon = framesOf(name).some(
            (frame) => frame.timeUs > timeUs && frame.timeUs < timeUs + 45_000,
          );
          assert.ok(soon, `${name} says that ${event} changed at ${timeUs / 1e6} s`);
        }
      }
      assert.ok(changes > 0, 'something happened in a minute');
    });

    it('puts one frame after the other on the wire, with a load that theory gives', () => {
      const bus = busOf(kind, 7);
      const seconds = 30;
      const heard = listen(bus, seconds * 1e6);
      const bitUs = 1e6 / network.bitrate;
      let theoryUs = 0;
      for (const [i, { timeUs, id, isExtended, data }] of heard.entries()) {
        const onWireUs = frameBits(id, isExtended, data) * bitUs;
        theoryUs += onWireUs;
        // Time stamps are taken at the frame's end, at most 12 µs late.
        if (i > 0) assert.ok(timeUs - heard[i - 1].timeUs >= onWireUs - 14, 'frames overlap');
      }
      assert.equal(bus.counters.frames, heard.length);
      assert.ok(Math.abs(bus.counters.busyUs - theoryUs) < 1);
      const share = bus.counters.busyUs / (seconds * 1e6);
      const bounds = [0, 1].map((worst) =>
        network.messages.reduce((sum, { length, extended, cycleMs }) => {
          const stuffed = (extended ? 54 : 34) + 8 * length - 1;
          const bits = (extended ? 67 : 47) + 8 * length + worst * Math.floor(stuffed / 4);
          return sum + (bits * bitUs) / (cycleMs * 1000);
        }, 0),
      );
      assert.ok(share > bounds[0] * 0.97 && share < bounds[1] * 1.1, `${share} of ${bounds.join(' to ')}`);
    });

    it('is the same for the same seed, however the time is cut, and another for another', () => {
      const whole = listen(busOf(kind, 5), 3e6);
      const bus = busOf(kind, 5);
      const pieces = [0.7e6, 0.71e6, 1.9e6, 3e6].flatMap((untilUs) => listen(bus, untilUs));
      assert.deepEqual(pieces, whole);
      assert.notDeepEqual(listen(busOf(kind, 6), 3e6), whole);
    });
  });
}

describe('the networks of all kinds', () => {
  it('mean to cantools what they mean to us', async function () {
    this.timeout(60_000);
    if (spawnSync(python, ['-c', 'import cantools']).status !== 0) {
      console.log(`      skipped: ${python} has no cantools`);
      this.skip();
    }
    await using folder = await tempFolder('dbc');
    const asked = kinds.map((kind) => {
      const text = dbcText(networkOf(kind));
      const frames = listen(busOf(kind, 42), 5e6);
      const messages = parseDbc(Buffer.from(text)).database.messages.map((message) => ({
        message,
        datas: frames
          .filter(({ id }) => id === message.id)
          .slice(-10)
          .map(({ data }) => data),
      }));
      return { file: join(folder.path, `${kind}.dbc`), text, messages };
    });
    for (const { file, text } of asked) await writeFile(file, text);
    const requests = asked.map(({ file, messages }) => ({
      file,
      frames: messages.map(({ message, datas }) => ({
        id: message.id,
        extended: message.isExtended,
        data: datas.map((data) => Buffer.from(data).toString('hex')),
      })),
    }));
    const input = requests.map((request) => `${JSON.stringify(request)}\n`).join('');
    const output = execFileSync(python, ['test/support/decode_with_cantools.py'], { input }).toString();
    const answers = output
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, number>[][]);
    let compared = 0;
    for (const [n, { messages }] of asked.entries()) {
      for (const [i, { message, datas }] of messages.entries()) {
        for (const [k, data] of datas.entries()) {
          for (const [name, value] of Object.entries(answers[n][i][k])) {
            const signal = message.signals.find((one) => one.name === name)!;
            const ours = referenceValue(signal, message, data)!;
            assert.ok(
              Math.abs(ours - value) < 1e-9 * Math.max(1, Math.abs(value)),
              `${message.name}.${name}`,
            );
            compared++;
          }
        }
      }
    }
    assert.ok(compared > 500);
  });
});

describe('bits of a CAN frame', () => {
  /** The same from a string of bits, as a textbook does it. */
  function textbook(id: number, extended: boolean, data: Uint8Array): number {
    const binary = (value: number, width: number): string => value.toString(2).padStart(width, '0');
    const head = extended
      ? `0${binary(id >>> 18, 11)}11${binary(id & 0x3ffff, 18)}000`
      : `0${binary(id, 11)}000`;
    const body = head + binary(data.length, 4) + [...data].map((byte) => binary(byte, 8)).join('');
    let crc = 0;
    for (const bit of body) {
      const next = Number(bit) ^ (crc >>> 14);
      crc = (crc << 1) & 0x7fff;
      if (next) crc ^= 0x4599;
    }
    let stuffed = '';
    for (const bit of body + binary(crc, 15)) {
      stuffed += bit;
      if (/(00000|11111)$/.test(stuffed.slice(-5))) stuffed += bit === '0' ? '1' : '0';
    }
    return stuffed.length + 13;
  }

  it('are as many as a textbook counts, and within the bounds of theory', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.nat(2 ** 29 - 1),
        fc.uint8Array({ maxLength: 8 }),
        fc.constantFrom(0xff, 0x00, 0x0f),
        (extended, number, data, mask) => {
          const id = extended ? number : number & 0x7ff;
          const bytes = data.map((byte) => byte & mask);
          const bits = frameBits(id, extended, bytes);
          assert.equal(bits, textbook(id, extended, bytes));
          const plain = (extended ? 67 : 47) + 8 * bytes.length;
          const worst = Math.floor(((extended ? 54 : 34) + 8 * bytes.length - 1) / 4);
          assert.ok(bits >= plain && bits <= plain + worst, `${bits}`);
        },
      ),
    );
  });
});

describe('arbitration', () => {
  it('lets the lowest identifier go first among those that wait, and delays nobody for a free bus', () => {
    const messages = [0x100, 0x200, 0x300].map((id) => ({
      name: `M${id}`,
      id,
      sender: 'A',
      length: 8,
      cycleMs: 1,
      comment: '',
      signals: [],
    }));
    // Three frames a millisecond of at least 111 bits need 333 kbit/s: at 250 kbit/s the highest identifier starves.
    const { create } = physicalKindOf('combustion-car')!;
    const network = { name: 'full', bitrate: 250_000, nodes: { A: '' }, messages };
    const bus = new VehicleBus(create(1), network, { seed: 1, startUs });
    const frames = listen(bus, 5e6);
    const counts = messages.map(({ id }) => frames.filter((frame) => frame.id === id).length);
    assert.ok(counts[0] > 4950, `${counts.join(' ')}`);
    assert.ok(counts[1] > 4800, `${counts.join(' ')}`);
    assert.ok(counts[2] < 1500, `${counts.join(' ')}`);
    assert.ok(bus.counters.busyUs > 0.99 * 5e6, 'the bus is full');
    assert.ok(bus.counters.waited > 0);
  });
});

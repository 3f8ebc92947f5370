import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { Histogram } from '#sim/fleet/histogram.js';
import { ledgerHash, readLedger, writeLedger, type Ledger } from '#sim/ledger/ledger.js';
import { candumpMinutes, nmeaMinutes } from '#sim/ledger/minutes.js';
import { recordStream, speechOf } from '#sim/ledger/record.js';
import { loadScenario } from '#sim/scenario/load.js';
import { streamsOf } from '#sim/vehicle/kinds.js';
import { randomOf } from '../support/generate-frames.js';
import { tempFolder } from '../support/temp-folder.js';

const pinned = {
  generic: '3f4ac1d61bcde3e65daf21adc449fbb5',
  'combustion-car': 'a06e69e31a96e78afa75b783dfbeb3ba',
  'electric-car': '82de512438e41c18fe16a820f1b20b59',
  truck: '22c071ec521e01ab68be6a6dcff7c30f',
};
const good = 'name: town\nduration: 10s\nvehicles:\n  car: { kind: generic }\n';

describe('a scenario', () => {
  const refused: [what: string, text: string, complaint: RegExp][] = [
    ['an unknown key', `${good}  van: { kind: generic, wheels: 4 }\n`, /unknown key "vehicles\.van\.wheels"/],
    [
      'a node that the kind has not',
      `${good}  van: { kind: truck, firmware: { nodeFaults: [{ node: ABS, at: 1s, for: 1s }] } }\n`,
      /"vehicles\.van\.firmware\.nodeFaults\.0\.node" must be one of ENG, /,
    ],
    [
      'firmware without physics',
      `${good}  van: { kind: generic, firmware: { diagnostics: 5s } }\n`,
      /"vehicles\.van\.firmware" needs a vehicle with physics/,
    ],
    [
      'a tester that asks too often',
      `${good}  van: { kind: truck, firmware: { diagnostics: 5ms } }\n`,
      /"vehicles\.van\.firmware\.diagnostics" must be at least 1s/,
    ],
    [
      'a key that is turned off before it is turned on',
      `${good}  van: { kind: truck, firmware: { ignition: [{ on: 5s, off: 4s }] } }\n`,
      /"vehicles\.van\.firmware\.ignition\.0\.off" must come after "on"/,
    ],
    [
      'a receiver that starts in no known way',
      `${good}  van: { kind: truck, firmware: { receiver: { start: lukewarm } } }\n`,
      /firmware\.receiver\.start.*cold, warm, hot/,
    ],
    ['an unknown key at the top', `${good}weather: rain\n`, /unknown key "weather"/],
    ['a missing key', good.replace('duration: 10s\n', ''), /missing key "duration"/],
    ['a duration without a unit', good.replace('10s', '10'), /"duration" must be a duration such as/],
    ['no time at all', good.replace('10s', '0s'), /"duration" must be more than 0/],
    ['a week', good.replace('10s', '7d'), /"duration" must be more than 0 and at most 24h/],
    ['an unknown kind', good.replace('generic', 'boat'), /"vehicles\.car\.kind" must be a kind: /],
    ['half a vehicle', good.replace('generic }', 'generic, count: 0.5 }'), /"vehicles\.car\.count"/],
    [
      'a fix rate that no receiver has',
      good.replace('generic', 'generic, fixRate: 99'),
      /"vehicles\.car\.fixRate"/,
    ],
    [
      'a part that nothing has',
      good.replace('generic', 'truck, failing: horn'),
      /failing" must be a failing part/,
    ],
    [
      'a part that the kind does not have',
      good.replace('generic', 'truck, failing: weak-cell'),
      /"vehicles\.car\.failing": a truck vehicle has no weak-cell; its part that can fail is coolant-leak/,
    ],
    [
      'a way of driving that nobody has',
      good.replace('generic', 'truck, driving: nedc'),
      /driving" must be a driving: town, wltc, udds/,
    ],
    [
      'a cycle for a kind without physics',
      good.replace('generic', 'generic, driving: wltc'),
      /"vehicles\.car\.driving": a generic vehicle has no physics/,
    ],
    ['a bad name', good.replace('town', 'Town Hall'), /"name" must be a name of a–z/],
    ['a bad gateway name', good.replace('car:', 'Car:'), /unknown key "vehicles\.Car"/],
    ['a speed of 0', `${good}speed: 0\n`, /"speed" must be a factor above 0, or max/],
    ['a start that is no time', `${good}start: tomorrow\n`, /"start" must be a time such as/],
    ['a start that is no date', `${good}start: 2026-13-45T00:00:00Z\n`, /"start" is no date/],
    [
      'two vehicles of one name',
      `${good}  car-x: { kind: generic, count: 2 }\n  car-x-1: { kind: generic }\n`,
      /come out as car-x-1/,
    ],
    ['a crowd', good.replace('generic', 'generic, count: 1000') + '  van: { kind: generic }\n', /not 1001/],
    ['no vehicles', 'name: town\nduration: 10s\nvehicles: {}\n', /vehicles/],
    [
      'a trip longer than the scenario',
      `${good}speed: max\n`.replace('generic }', 'generic, trip: 11s }'),
      /"vehicles\.car\.trip" must be above 0 and within the duration/,
    ],
    [
      'a trip in time that runs faster',
      `${good}speed: 10\n`.replace('generic }', 'generic, trip: 2s }'),
      /"trip" goes with real time and virtual time/,
    ],
    ['what is not YAML', 'name: [', /isn't YAML/],
  ];
  for (const [what, text, complaint] of refused) {
    it(`with ${what} is refused with the path of the key`, async () => {
      await using folder = await tempFolder('scenario');
      const path = join(folder.path, 'x.yaml');
      await writeFile(path, text);
      assert.throws(
        () => loadScenario(path),
        (error: Error) =>
          isFleetlogError(error, 'FLEETLOG_CONFIG') &&
          error.message.includes(path) &&
          complaint.test(error.message),
      );
    });
  }

  it('of the examples is valid', () => {
    const paths = globSync('firmware-sim/scenarios/*.yaml');
    assert.ok(paths.length > 0);
    for (const path of paths) assert.ok(loadScenario(path).vehicles.length > 0, path);
  });

  it('with trips has each vehicle drive from a time of its own on, for so long', async () => {
    await using folder = await tempFolder('scenario');
    const path = join(folder.path, 'x.yaml');
    await writeFile(
      path,
      `${good}speed: max\n`.replace('10s', '24h').replace('generic }', 'truck, count: 9, trip: 10s }'),
    );
    const { vehicles, virtualStartUs, durationUs } = loadScenario(path);
    assert.equal(new Set(vehicles.map(({ trip }) => trip?.departsUs)).size, 9);
    for (const vehicle of vehicles) {
      const { departsUs, lastsUs } = vehicle.trip!;
      assert.ok(departsUs >= 0 && departsUs + lastsUs <= durationUs);
      const speech = speechOf(vehicle, virtualStartUs, durationUs);
      const text = Buffer.concat([...streamsOf('truck')[0].speak(speech)] as Uint8Array[]).toString();
      const times = Array.from(
        text.matchAll(/^\(([\d.]+)\)/gm),
        ([, time]) => Number(time) * 1e6 - virtualStartUs,
      );
      assert.ok(times[0] >= departsUs && times.at(-1)! <= departsUs + lastsUs + 1000);
      assert.ok(times.at(-1)! - times[0] > 9e6);
    }
  });

  it('drives the same vehicle the same way whatever else drives', async () => {
    await using folder = await tempFolder('scenario');
    const path = join(folder.path, 'x.yaml');
    await writeFile(path, good);
    const [alone] = loadScenario(path).vehicles;
    await writeFile(path, good.replace('  car', '  bus: { kind: generic, count: 3 }\n  car'));
    const { vehicles } = loadScenario(path);
    assert.deepEqual(
      vehicles.map(({ gateway }) => gateway),
      ['bus-1', 'bus-2', 'bus-3', 'car'],
    );
    assert.deepEqual(vehicles[3], alone);
    assert.equal(new Set(vehicles.map(({ seed }) => seed)).size, 4);
  });
});

describe('a ledger', () => {
  const startUs = 1_767_254_400_000_000;

  async function ledgerOf(folder: string, seed: number, kind = 'generic'): Promise<Ledger> {
    const vehicle = { gateway: 'car', kind, seed, fixRateHz: 1 };
    const streams = [];
    for (const speaker of streamsOf(kind)) {
      const path = join(folder, speaker.stream);
      streams.push(await recordStream(vehicle, speaker, speechOf(vehicle, startUs, 65e6), path));
    }
    const hash = ledgerHash(streams);
    return {
      fleetlogLedger: 1,
      simulated: true,
      scenario: 'x',
      seed,
      startUs,
      durationUs: 65e6,
      hash,
      streams,
    };
  }

  it('is the same for the same seed, and another for another', async () => {
    await using folder = await tempFolder('ledger');
    const [first, again, other] = [
      await ledgerOf(folder.path, 5),
      await ledgerOf(folder.path, 5),
      await ledgerOf(folder.path, 6),
    ];
    assert.deepEqual(again, first);
    assert.notEqual(other.hash, first.hash);
    // Pinned: the same on every machine. A change of the vehicle changes it.
    assert.equal(first.hash, pinned.generic);
    for (const kind of ['combustion-car', 'electric-car', 'truck'] as const) {
      assert.equal((await ledgerOf(folder.path, 5, kind)).hash, pinned[kind], kind);
    }
    assert.equal(first.streams[0].minutes.length, 2);
  });

  it('says how it drives and which part is failing, so that the same can be said again', async () => {
    await using folder = await tempFolder('ledger');
    const vehicle = {
      gateway: 'car',
      kind: 'electric-car',
      seed: 5,
      fixRateHz: 1,
      failing: 'weak-cell',
      driving: 'udds',
    } as const;
    const [bus] = streamsOf(vehicle.kind);
    const record = (one: Parameters<typeof recordStream>[0]) =>
      recordStream(one, bus, speechOf(one, startUs, 10e6), join(folder.path, 'can0'));
    const entry = await record(vehicle);
    const { failing, ...sound } = vehicle;
    const { driving, ...anywhere } = vehicle;
    assert.equal(entry.failing, failing);
    assert.equal(entry.driving, driving);
    for (const other of [sound, anywhere]) assert.notDeepEqual((await record(other)).minutes, entry.minutes);
    const again = [...bus.speak(speechOf(entry, startUs, 10e6))].map((chunk) => Buffer.from(chunk));
    assert.deepEqual(
      again,
      [...bus.speak(speechOf(vehicle, startUs, 10e6))].map((chunk) => Buffer.from(chunk)),
    );
  });

  it('comes back from its file, and is refused where somebody changed it', async () => {
    await using folder = await tempFolder('ledger');
    const path = join(folder.path, 'ledger.json');
    const ledger = await ledgerOf(folder.path, 5);
    await writeLedger(path, ledger);
    assert.deepEqual(readLedger(path), ledger);
    ledger.streams[0].records++;
    await writeLedger(path, ledger);
    assert.throws(() => readLedger(path), /was changed after it was written/);
    await writeFile(path, 'hello');
    assert.throws(() => readLedger(path), /isn't a ledger/);
    assert.throws(() => readLedger(join(folder.path, 'none')), /doesn't exist/);
  });

  it('knows the minute of each line from the line alone', () => {
    const can = candumpMinutes(startUs);
    assert.equal(can(Buffer.from('(1767254400.000001) can0 1#\n')), 0);
    assert.equal(can(Buffer.from('(1767254459.999999) can0 1#\n')), 0);
    assert.equal(can(Buffer.from('(1767254460.000000) can0 1#\n')), 1);
    assert.equal(can(Buffer.from('hello\n')), -1);
    const nmea = nmeaMinutes(startUs + 15 * 3600e6 + 59 * 60e6); // 23:59
    assert.equal(nmea(Buffer.from('$GPGGA,235959.000,,,,,0,00,,,M,,M,,*5B\r\n')), 0);
    assert.equal(nmea(Buffer.from('$GPVTG,,,,,,,,,N*30\r\n')), 0);
    assert.equal(nmea(Buffer.from('$GPRMC,000100.000,V,,,,,,,020126,,,N*45\r\n')), 2, 'over midnight');
    assert.equal(nmea(Buffer.from('$GPVTG,,,,,,,,,N*30\r\n')), 2, 'with the last that had a time');
  });
});

describe('a histogram', () => {
  it('knows percentiles to 1 part in 64, and the maximum exactly', () => {
    const random = randomOf(3);
    const values = Array.from({ length: 5000 }, () => Math.floor(10 ** (12 * random())));
    const histogram = new Histogram();
    const halves = [new Histogram(), new Histogram()];
    values.forEach((value, i) => {
      histogram.add(value);
      halves[i % 2].add(value);
    });
    halves[0].merge(halves[1].export());
    assert.equal(histogram.between(0, 2 ** 41), values.length);
    values.sort((a, b) => a - b);
    for (const share of [0.001, 0.25, 0.5, 0.9, 0.99, 0.999]) {
      const exact = values[Math.ceil(share * values.length) - 1];
      const told = histogram.percentile(share);
      assert.ok(told >= exact && told <= exact * (1 + 1 / 64) + 1, `${share}: ${told} for ${exact}`);
      assert.equal(halves[0].percentile(share), told);
    }
    assert.equal(histogram.max, values.at(-1));
    assert.equal(new Histogram().percentile(0.5), 0);
  });
});

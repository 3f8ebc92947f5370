import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { happeningText, timelineOf } from '#sim/fleet/timeline.js';
import { letHappen, type Mishap } from '#sim/fleet/mishaps.js';
import { loadScenario, type FleetPlan } from '#sim/scenario/load.js';
import { physicalKindOf, streamsOf } from '#sim/vehicle/kinds.js';
import { FakeClock } from '../support/fake-clock.js';
import { never } from '../support/source-options.js';
import { tempFolder } from '../support/temp-folder.js';

const head =
  'name: town\nduration: 60s\nvehicles:\n  car: { kind: truck, count: 2 }\n  bus: { kind: electric-car }\n';

async function planOf(text: string): Promise<FleetPlan> {
  await using folder = await tempFolder('mishaps');
  const path = join(folder.path, 'x.yaml');
  await writeFile(path, text);
  return loadScenario(path);
}

describe('what goes wrong in a scenario', () => {
  const refused: [what: string, more: string, complaint: RegExp][] = [
    [
      'an unknown fault',
      'faults: [{ at: 1s, for: 1s, fault: fire }]\n',
      /"faults\.0\.fault" must be a fault: /,
    ],
    ['a fault without an end', 'faults: [{ at: 1s, fault: power-cut }]\n', /missing key "faults\.0\.for"/],
    [
      'a fault after the end',
      'faults: [{ at: 61s, for: 1s, fault: power-cut }]\n',
      /"faults\.0\.at" is behind the end/,
    ],
    [
      'a fault of nobody',
      'faults: [{ at: 1s, for: 1s, fault: power-cut, vehicles: [van] }]\n',
      /"faults\.0\.vehicles": there is no vehicle "van"/,
    ],
    [
      'a cloud of one vehicle',
      'faults: [{ at: 1s, for: 1s, fault: cloud-restart, vehicles: [bus] }]\n',
      /"faults\.0\.vehicles" doesn't go with a cloud-restart/,
    ],
    [
      'an attack on one vehicle',
      'faults: [{ at: 1s, for: 1s, fault: hostile, vehicles: [bus] }]\n',
      /"faults\.0\.vehicles" doesn't go with a hostile/,
    ],
    [
      'a jump to nowhere',
      'faults: [{ at: 1s, for: 1s, fault: clock-jump }]\n',
      /missing key "faults\.0\.by"/,
    ],
    [
      'a jump without a sign',
      'faults: [{ at: 1s, for: 1s, fault: clock-jump, by: 1h }]\n',
      /"faults\.0\.by" must be a signed duration such as -1h/,
    ],
    [
      'a jump of something else',
      'faults: [{ at: 1s, for: 1s, fault: satellite, by: +1h }]\n',
      /"faults\.0\.by" doesn't go with satellite/,
    ],
    [
      'roaming without a price',
      'faults: [{ at: 1s, for: 1s, fault: roaming }]\n',
      /missing key "faults\.0\.budget"/,
    ],
    [
      'a budget without a unit',
      'faults: [{ at: 1s, for: 1s, fault: roaming, budget: "40" }]\n',
      /"faults\.0\.budget" must be a budget such as 50kB/,
    ],
    [
      'a tunnel without units',
      'tunnels: [{ from: 1, to: 2 }]\n',
      /"tunnels\.0\.from" must be a distance such as/,
    ],
    ['a tunnel backwards', 'tunnels: [{ from: 2km, to: 1km }]\n', /"tunnels\.0" must begin before it ends/],
    ['a dead zone beyond the road', 'deadZones: [{ from: 2km, to: 41km }]\n', /"deadZones\.0" must .* 40 km/],
    ['a tunnel where nobody has a road', 'tunnels: [{ from: 1m, to: 2m }]\n', /need a road, which a generic/],
  ];
  for (const [what, more, complaint] of refused) {
    it(`is refused for ${what}, with the path of the key`, async () => {
      const text = what.includes('nobody has a road') ? head.replace('truck', 'generic') : head;
      await assert.rejects(planOf(text + more), complaint);
    });
  }

  it('by time reaches the vehicles that are named, groups too, and all where none is', async () => {
    const faults =
      'faults:\n  - { at: 5s, for: 2s, fault: power-cut, vehicles: [car] }\n  - { at: 6s, for: 10s, fault: no-network }\n  - { at: 50s, for: 1s, fault: cloud-restart }\n';
    const texts = timelineOf(await planOf(head + faults)).map(happeningText);
    assert.deepEqual(texts.slice(0, 2), [
      '00:05.0 car-1 loses power (power-cut).',
      '00:05.0 car-2 loses power (power-cut).',
    ]);
    assert.equal(texts.filter((text) => /loses its network/.test(text)).length, 3);
    assert.deepEqual(texts.slice(-2), [
      '00:50.0 the cloud is killed (cloud-restart).',
      '00:51.0 the cloud is started again (cloud-restart).',
    ]);
  });

  it('by place is where the vehicle is: no network inside, and in a tunnel no satellites either', async () => {
    const plan = await planOf(`${head}tunnels: [{ from: 20m, to: 150m }]\n`);
    const [car] = plan.vehicles;
    const passages = timelineOf(plan).filter(({ gateway }) => gateway === car.gateway);
    assert.equal(passages.length, 2);
    for (const { atUs, isUp } of passages) {
      const vehicle = physicalKindOf(car.kind)!.create(car.seed, car);
      vehicle.advanceTo(atUs);
      assert.equal(vehicle.tunnel, !isUp);
      const before = physicalKindOf(car.kind)!.create(car.seed, car);
      before.advanceTo(atUs - 200_000);
      assert.equal(before.tunnel, isUp);
    }
    const gps = streamsOf(car.kind).find(({ format }) => format === 'lines')!;
    const options = {
      seed: car.seed,
      startUs: 1_767_254_400_000_000,
      durationUs: plan.durationUs,
      fixRateHz: 1,
    };
    const said = (tunnels: typeof car.tunnels): string[] => [
      ...([...gps.speak({ ...options, ...(tunnels && { tunnels }) })] as string[]),
    ];
    const fixesLost = said(car.tunnels).filter((text) => /GPRMC,[\d.]+,V/.test(text)).length;
    const seconds = (passages[1].atUs - passages[0].atUs) / 1e6;
    assert.ok(Math.abs(fixesLost - seconds) <= 1.2, `${fixesLost} fixes lost in ${seconds} s`);
    assert.ok(said(undefined).every((text) => !/GPRMC,[\d.]+,V/.test(text)));
  });

  it('happens at its time, and a network with two reasons to be away is back after the second', async () => {
    const faults =
      'faults:\n  - { at: 5s, for: 20s, fault: no-network, vehicles: [bus] }\n  - { at: 10s, for: 5s, fault: no-network, vehicles: [bus] }\n  - { at: 12s, for: 1s, fault: power-cut, vehicles: [bus] }\n';
    const plan = await planOf(head + faults);
    const clock = new FakeClock();
    const beganUs = clock.monotonicUs();
    const seen: string[] = [];
    const note = (what: string) => (): void => {
      seen.push(`${what} ${Math.round((clock.monotonicUs() - beganUs) / 1e6)}`);
    };
    const mishap =
      (what: string): Mishap =>
      ({ gateway, isUp }) =>
        note(`${gateway} ${what} ${isUp ? 'over' : 'on'}`)();
    const mishaps = { 'no-network': mishap('silent'), 'power-cut': mishap('dark') };
    const say = (): void => {};
    await letHappen(timelineOf(plan), 2, mishaps, { clock, say }, never);
    assert.deepEqual(seen, ['bus silent on 3', 'bus dark on 6', 'bus dark over 7', 'bus silent over 13']);
  });
});

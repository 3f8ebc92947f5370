import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Combustion } from '#sim/vehicle/physics/combustion.js';
import type { Electric } from '#sim/vehicle/physics/electric.js';
import {
  busBody,
  carBody,
  dieselEngine,
  electricBody,
  electricDrive,
  petrolEngine,
  refuseBody,
  trainBody,
  truckBody,
} from '#sim/vehicle/physics/bodies.js';
import { quantity as q } from '#sim/vehicle/physics/quantities.js';
import { LOOP_M, Road } from '#sim/vehicle/physics/road.js';
import type { PhysicalVehicle } from '#sim/vehicle/physics/vehicle.js';
import { kindNames, physicalKindOf } from '#sim/vehicle/kinds.js';

const bodies = {
  'combustion-car': carBody,
  'electric-car': electricBody,
  truck: truckBody,
  'city-bus': busBody,
  'refuse-truck': refuseBody,
  'train-set': trainBody,
};
const kinds = kindNames.filter((name) => physicalKindOf(name)) as (keyof typeof bodies)[];
const drives = fc.tuple(fc.constantFrom(...kinds), fc.nat(2 ** 32 - 1), fc.integer({ min: 30, max: 240 }));
const create = (kind: string, seed: number): PhysicalVehicle => physicalKindOf(kind)!.create(seed);
const STEP_US = 10_000;
const numRuns = 8;

const near = (a: number, b: number, tolerance: number, what: string): void =>
  assert.ok(Math.abs(a - b) <= tolerance, `${what}: ${a} and ${b}, more than ${tolerance} apart`);

describe('the physics of a simulated vehicle', function () {
  this.timeout(60_000);

  it('keeps energy: work of the powertrain = motion + air + tyres + slope + brakes, to 1 part in 10⁹', () => {
    fc.assert(
      fc.property(drives, ([kind, seed, seconds]) => {
        const vehicle = create(kind, seed);
        vehicle.advanceTo(seconds * 1e6);
        const { tractionJ, brakeJ, airJ, rollingJ, slopeJ } = vehicle.work;
        const motionJ = (vehicle.inertiaKg * vehicle.speedMps ** 2) / 2;
        const spentJ = motionJ + airJ + rollingJ + slopeJ + brakeJ;
        const scale = Math.abs(airJ) + Math.abs(rollingJ) + Math.abs(slopeJ) + Math.abs(brakeJ) + motionJ;
        near(tractionJ, spentJ, 1e-9 * scale + 1e-3, 'energy');
        for (const resisting of [airJ, rollingJ, brakeJ])
          assert.ok(resisting >= 0, 'resistance takes, never gives');
        const { values } = vehicle;
        const climbed = values[q.height] - new Road(seed, bodies[kind].hilliness).height(0);
        const liftedJ = bodies[kind].massKg * 9.80665 * climbed;
        near(slopeJ, liftedJ, 0.002 * Math.abs(liftedJ) + 500, 'work against the slope is height');
      }),
      { numRuns },
    );
  });

  it('has a speed that is the derivative of the distance, an acceleration that is that of the speed, and never rolls back', () => {
    fc.assert(
      fc.property(drives, ([kind, seed, seconds]) => {
        const vehicle = create(kind, seed);
        let { speedMps: speed, eastM, northM } = vehicle;
        let distance = 0;
        for (let timeUs = STEP_US; timeUs <= Math.min(seconds, 60) * 1e6; timeUs += STEP_US) {
          vehicle.advanceTo(timeUs);
          const { values } = vehicle;
          assert.ok(values[q.speed] >= 0);
          near(values[q.distance] - distance, ((speed + values[q.speed]) / 2) * 0.01, 1e-9, 'distance');
          near(values[q.speed] - speed, values[q.acceleration] * 0.01, 1e-9, 'speed');
          const moved = Math.hypot(vehicle.eastM - eastM, vehicle.northM - northM);
          near(moved, values[q.distance] - distance, 1e-7, 'place');
          ({ speedMps: speed, eastM, northM } = vehicle);
          distance = values[q.distance];
        }
      }),
      { numRuns },
    );
  });

  it('burns no less fuel than its work, heats the block with what it says, and empties the tank by what it burns', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(['combustion-car', petrolEngine] as const, ['truck', dieselEngine] as const),
        fc.nat(2 ** 32 - 1),
        ([kind, p], seed) => {
          const vehicle = create(kind, seed);
          const engine = vehicle.powertrain as Combustion;
          const before = vehicle.values[q.fuelLevel] || NaN;
          vehicle.advanceTo(150e6);
          const { values } = vehicle;
          const { takenJ, deliveredJ } = engine.energy;
          assert.ok(deliveredJ < p.indicatedEfficiency * takenJ, 'no engine beats its own efficiency');
          near(deliveredJ, vehicle.work.tractionJ, 0.01 * takenJ, 'what the engine gives is what drives');
          near(values[q.fuelUsed] * p.fuelJPerL, takenJ, 1e-9 * takenJ, 'fuel');
          near(before - values[q.fuelLevel], (100 * values[q.fuelUsed]) / p.tankL, 1e-6, 'tank');
          const { inJ, outJ } = engine.heat;
          near(
            (engine.coolantC - engine.startC) * p.heatCapacityJPerK,
            inJ - outJ,
            1e-9 * inJ + 1e-3,
            'heat',
          );
          assert.ok(engine.coolantC < 110);
        },
      ),
      { numRuns },
    );
  });

  it('takes from the battery what motor, heat and consumers need, and counts every ampere second', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), (seed) => {
        const p = electricDrive;
        const vehicle = create('electric-car', seed);
        const motor = vehicle.powertrain as Electric;
        vehicle.advanceTo(STEP_US);
        const charge = vehicle.values[q.batteryCharge];
        const drawn = motor.drawnAs;
        vehicle.advanceTo(150e6);
        const { takenJ, deliveredJ, lostJ } = motor.energy;
        // Less than nothing is taken where it drove downhill.
        const scale = Math.abs(takenJ) + Math.abs(deliveredJ) + lostJ;
        near(takenJ, deliveredJ + lostJ, 1e-9 * scale, 'energy');
        const unavoidableJ = motor.heat.inJ + p.auxiliaryW * 150 + (1 - p.efficiency) * Math.abs(deliveredJ);
        assert.ok(lostJ >= 0.999 * unavoidableJ, `${lostJ} lost, at least ${unavoidableJ} must be`);
        const usedAs = ((charge - vehicle.values[q.batteryCharge]) / 100) * p.capacityAh * 3600;
        near(usedAs, motor.drawnAs - drawn, 1e-6 * p.capacityAh * 3600, 'charge');
        const { inJ, outJ } = motor.heat;
        near((motor.batteryC - motor.startC) * p.heatCapacityJPerK, inJ - outJ, 1e-9 * inJ + 1e-3, 'heat');
      }),
      { numRuns },
    );
  });

  it('drives on a road whose slope is the derivative of its height, and which closes', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), fc.double({ min: 0, max: LOOP_M, noNaN: true }), (seed, m) => {
        const road = new Road(seed);
        near((road.height(m + 0.5) - road.height(m - 0.5)) / 1, road.slope(m), 1e-5, 'slope');
        near(road.heading(m + 0.5) - road.heading(m - 0.5), road.curvature(m), 1e-5, 'curvature');
        near(road.height(m + LOOP_M), road.height(m), 1e-6, 'loop');
        assert.ok(Math.abs(road.slope(m)) < 0.15, 'no road is that steep');
      }),
    );
  });

  it('is a function of seed and time, however the time is cut', () => {
    fc.assert(
      fc.property(drives, fc.array(fc.nat(5e6), { maxLength: 10 }), ([kind, seed], cuts) => {
        const whole = create(kind, seed);
        const cut = create(kind, seed);
        let timeUs = 0;
        for (const piece of cuts) cut.advanceTo((timeUs += piece));
        whole.advanceTo(timeUs);
        assert.deepEqual(cut.values, whole.values);
      }),
      { numRuns },
    );
  });

  it('uses about as much as vehicles of its class do', () => {
    const drive = (kind: string): PhysicalVehicle => {
      const vehicle = create(kind, 1);
      vehicle.advanceTo(1800e6);
      return vehicle;
    };
    const per100Km = ({ values }: PhysicalVehicle, amount: number): number =>
      (amount / values[q.distance]) * 1e5;
    const car = drive('combustion-car');
    const litres = per100Km(car, car.values[q.fuelUsed]);
    assert.ok(litres > 4.5 && litres < 8.5, `${litres} l/100 km`);
    const electric = drive('electric-car');
    const kWh = per100Km(electric, electric.powertrain.energy.takenJ / 3.6e6);
    assert.ok(kWh > 12 && kWh < 22, `${kWh} kWh/100 km`);
    const heavy = drive('truck');
    const diesel = per100Km(heavy, heavy.values[q.fuelUsed]);
    assert.ok(diesel > 24 && diesel < 45, `${diesel} l/100 km`);
    const bus = drive('city-bus');
    const busKWh = per100Km(bus, bus.powertrain.energy.takenJ / 3.6e6);
    assert.ok(busKWh > 60 && busKWh < 130, `${busKWh} kWh/100 km`);
    const train = drive('train-set');
    const trainKWh = per100Km(train, train.powertrain.energy.takenJ / 3.6e6);
    assert.ok(trainKWh > 250 && trainKWh < 500, `${trainKWh} kWh/100 km`);
  });

  it('loses no passenger, and never moves with open doors', () => {
    fc.assert(
      fc.property(fc.constantFrom('city-bus', 'train-set'), fc.nat(2 ** 32 - 1), (kind, seed) => {
        const vehicle = create(kind, seed);
        const { values } = vehicle;
        vehicle.advanceTo(STEP_US);
        const first = values[q.passengers];
        for (let timeUs = STEP_US; timeUs < 200e6; timeUs += STEP_US) {
          vehicle.advanceTo(timeUs);
          assert.equal(values[q.passengers], first + values[q.boarded] - values[q.alighted]);
          assert.ok(values[q.passengers] >= 0);
          assert.ok(values[q.doors] === 0 || values[q.speed] === 0, `doors open at ${timeUs} µs`);
        }
      }),
      { numRuns },
    );
    const bus = create('city-bus', 1);
    bus.advanceTo(300e6);
    assert.ok(bus.values[q.boarded] + bus.values[q.alighted] > 0, 'somebody came or went');
  });

  it('weighs refuse once: the load grows by what each bin on the lift weighed', () => {
    const refuse = create('refuse-truck', 2);
    const { values } = refuse;
    refuse.advanceTo(STEP_US);
    const first = values[q.load];
    let heaviest = 0;
    let weighed = 0;
    let bins = 0;
    for (let timeUs = STEP_US; timeUs < 600e6; timeUs += STEP_US) {
      refuse.advanceTo(timeUs);
      heaviest = Math.max(heaviest, values[q.binWeight]);
      if (values[q.binsEmptied] === bins) continue;
      bins = values[q.binsEmptied];
      weighed += heaviest;
      heaviest = 0;
      // The lift moves in steps of 10 ms, 200 of them a bin.
      near(values[q.load] - first, weighed, 0.01 * weighed, 'load');
    }
    assert.ok(bins > 2, `${bins} bins`);
  });

  it('has a weak cell whose resistance grows: the energy balance holds, the battery is warmer, the road the same', () => {
    const { create: build } = physicalKindOf('electric-car')!;
    const [sound, weak] = [build(3), build(3, { failing: 'weak-cell' })];
    const spreads: number[] = [];
    for (let minute = 1; minute <= 20; minute++) {
      for (const vehicle of [sound, weak]) vehicle.advanceTo(minute * 60e6);
      const { values } = weak;
      if (Math.abs(values[q.batteryCurrent]) < 20) continue;
      const extra = (one: PhysicalVehicle): number =>
        one.values[q.cellVoltageMax] - one.values[q.cellVoltageMin];
      // What the cell loses beyond the others, by Ohm's law.
      spreads.push((extra(weak) - extra(sound)) / Math.abs(values[q.batteryCurrent]));
    }
    assert.ok(spreads.length > 3);
    assert.deepEqual(
      spreads.toSorted((a, b) => a - b),
      spreads,
    );
    assert.ok(spreads[0] > 0);
    near(weak.values[q.distance], sound.values[q.distance], 0.1, 'distance');
    const motor = weak.powertrain as Electric;
    const { takenJ, deliveredJ, lostJ } = motor.energy;
    near(takenJ, deliveredJ + lostJ, 1e-9 * takenJ, 'energy');
    const storedJ = (motor.batteryC - motor.startC) * electricDrive.heatCapacityJPerK;
    near(storedJ, motor.heat.inJ - motor.heat.outJ, 1e-9 * motor.heat.inJ + 1e-3, 'heat');
    assert.ok(motor.batteryC > (sound.powertrain as Electric).batteryC);
  });

  it('gets hotter as its coolant leaks, and no joule is lost for it', () => {
    const { create: build } = physicalKindOf('truck')!;
    const [sound, leaks] = [build(3), build(3, { failing: 'coolant-leak' })];
    for (const vehicle of [sound, leaks]) vehicle.advanceTo(1800e6);
    const [coolC, hotC] = [sound, leaks].map(({ values }) => values[q.coolantTemperature]);
    assert.ok(hotC > coolC + 1, `${coolC} and ${hotC} °C`);
    assert.equal(leaks.values[q.distance], sound.values[q.distance]);
    const engine = leaks.powertrain as Combustion;
    const storedJ = (engine.coolantC - engine.startC) * dieselEngine.heatCapacityJPerK;
    near(storedJ, engine.heat.inJ - engine.heat.outJ, 1e-9 * engine.heat.inJ + 1e-3, 'heat');
  });
});

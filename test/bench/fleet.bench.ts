import { systemClock } from '@fleetlog/shared/util';
import { VehicleBus } from '#sim/vehicle/ecu/bus.js';
import { GpsReceiver } from '#sim/vehicle/gps.js';
import { physicalKindOf } from '#sim/vehicle/kinds.js';
import type { BenchRow } from './row.js';

const vehicles = 1000;
const seconds = 10;
const warmUpSeconds = 5;
/** Vehicles speak in turn, each so often; not all at the same moment. */
const turnMs = 100;
const kinds = ['electric-car', 'combustion-car', 'truck'];

interface Vehicle {
  bus: VehicleBus;
  gps: GpsReceiver;
}

function vehicleOf(seed: number, startUs: number): Vehicle {
  const kind = physicalKindOf(kinds[seed % kinds.length]);
  if (!kind) throw new Error('no such kind');
  const { create, network } = kind;
  return {
    bus: new VehicleBus(create(seed), network, { seed, startUs }),
    gps: new GpsReceiver({ seed, startUs, fixRateHz: 1, motion: create(seed) }),
  };
}

/** Vehicles with all their physics, ECUs and receivers in real time in one thread, what they say as text included. */
export async function benchFleet(): Promise<BenchRow[]> {
  const startUs = systemClock.nowUs();
  const fleet = Array.from({ length: vehicles }, (_, seed) => vehicleOf(seed, startUs));
  const originUs = systemClock.monotonicUs();
  let frames = 0;
  let latestMs = 0;
  let cpu = process.cpuUsage();
  const turns = ((warmUpSeconds + seconds) * 1000) / turnMs;
  const warmUpTurns = (warmUpSeconds * 1000) / turnMs;
  for (let turn = 1; turn <= turns; turn++) {
    if (turn === warmUpTurns) {
      [frames, latestMs] = [0, 0];
      cpu = process.cpuUsage();
    }
    for (const [i, { bus, gps }] of fleet.entries()) {
      const dueUs = (turn - 1 + (i + 1) / vehicles) * turnMs * 1000;
      const waitMs = (dueUs - (systemClock.monotonicUs() - originUs)) / 1000;
      if (waitMs > 1) await systemClock.sleep(waitMs);
      latestMs = Math.max(latestMs, -waitMs);
      for (let text = bus.next(dueUs); text.length > 0; text = bus.next(dueUs)) {
        for (let at = text.indexOf(10); at >= 0; at = text.indexOf(10, at + 1)) frames++;
      }
      gps.next(dueUs);
    }
  }
  const { user, system } = process.cpuUsage(cpu);
  const on = `${vehicles} cars and trucks in one thread, CAN and GPS, for ${seconds} s`;
  return [
    {
      name: 'vehicles in real time',
      value: (100 * (user + system)) / 1e6 / seconds,
      unit: '% of a core',
      on,
    },
    { name: 'frames that they sent', value: frames / seconds, unit: 'frames/s', on: 'the same' },
    { name: 'the latest that one spoke', value: latestMs, unit: 'ms', on: 'the same' },
  ];
}

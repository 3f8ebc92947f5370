// A thread that lets vehicles drive: takes one at a time from its parent, gives what was prepared, or why it wasn't.
import { parentPort } from 'node:worker_threads';
import type { PlannedVehicle } from '../scenario/load.js';
import { prepareGateway, type DriveOptions, type PreparedGateway } from './gateways.js';

export interface DriveTask {
  vehicle: PlannedVehicle;
  options: DriveOptions;
  folder: string;
}
export type DriveAnswer = { prepared: PreparedGateway } | { failure: unknown };

parentPort?.on('message', ({ vehicle, options, folder }: DriveTask) => {
  prepareGateway(vehicle, options, folder)
    .then((prepared): DriveAnswer => ({ prepared }))
    .catch((failure: unknown): DriveAnswer => ({ failure }))
    .then((answer) => parentPort?.postMessage(answer))
    .catch(() => process.exit(1)); // what can't be told can't be waited for
});

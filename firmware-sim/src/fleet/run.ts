import { randomBytes } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetlogError } from '@fleetlog/shared/errors';
import { ledgerHash, writeLedger, type Ledger } from '../ledger/ledger.js';
import { Processes } from '../processes/processes.js';
import type { FleetPlan, PlannedVehicle } from '../scenario/load.js';
import { CloudLog } from '../verdict/cloud-log.js';
import { judge, type Verdict } from '../verdict/verdict.js';
import { Ages } from './ages.js';
import { OwnCloud, type CloudAddress, type Passwords } from './cloud.js';
import { teachCloud } from './databases.js';
import { forward, type RunParts } from './forward.js';
import type { DriveTask } from './drive-worker.js';
import { driveAll } from './drivers.js';
import type { PreparedGateway } from './gateways.js';

export interface RunOptions {
  plan: FleetPlan;
  /** Takes recordings, buffers, logs and the ledger; it must be new or empty. */
  folder: string;
  /** Of a cloud that runs; without it the run has one of its own in its folder. */
  cloud: CloudAddress | undefined;
  /** Gateways at work at one time where time is virtual. */
  parallel: number;
}

/** Where it is kept within the folder of a run. */
export const LEDGER_FILE = 'ledger.json';
/** The time between "go" and the drive's first moment, in real time: gateways start within it. */
const LEAD_US = 1e6;

/**
 * Drives a fleet against a cloud with real gateways, each a process, and says what became of every record. Errors: the
 * sentence of a process that can't work, FLEETLOG_USAGE for the folder, those of `CloudLog`, and the signal's reason.
 */
export async function runScenario(options: RunOptions, parts: RunParts): Promise<Verdict> {
  const { plan, folder } = options;
  const own = plan.faults.find(({ fault }) => fault === 'cloud-restart' || fault === 'hostile');
  if (options.cloud && own) {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `The scenario has ${own.fault}, which a run does to its own cloud only; leave --url and --mqtt out.`,
    );
  }
  await claimFolder(folder);
  await using processes = await Processes.create(join(folder, 'logs'));
  const passwords = passwordsOf(plan);
  const cloud = options.cloud ? undefined : await OwnCloud.start(processes, folder, passwords);
  const address = options.cloud ?? cloud!.address;
  const log = new CloudLog(address.httpUrl, parts.signal);
  await refuseKnown(log, plan);
  await teachCloud(address.httpUrl, plan.vehicles, parts.signal);

  const { startUs, gateways } = await drive(options, parts);
  const streams = gateways.flatMap(({ entries }) => entries);
  const { name: scenario, seed, durationUs } = plan;
  const hash = ledgerHash(streams);
  const ledger: Ledger = {
    fleetlogLedger: 1,
    simulated: true,
    scenario,
    seed,
    startUs,
    durationUs,
    hash,
    streams,
  };
  await writeLedger(join(folder, LEDGER_FILE), ledger);

  const ages = plan.speed === 1 ? new Ages(address.httpUrl, parts.clock) : undefined;
  const watched = new AbortController();
  const watching = ages?.watch(AbortSignal.any([parts.signal, watched.signal]));
  try {
    const { parallel } = options;
    await forward({ plan, gateways, processes, address, cloud, startUs, parallel, passwords }, parts);
  } finally {
    watched.abort();
    await watching;
  }
  if (ages) {
    for (const entry of streams) {
      const ageMs = ages.of(entry.gateway, entry.stream);
      if (ageMs) entry.ageMs = ageMs;
    }
    await writeLedger(join(folder, LEDGER_FILE), ledger);
  }
  parts.say('All gateways are done; reading the log back.');
  return await judge(ledger, log); // before the processes are disposed of
}

/** Where somebody may take a gateway's name, names need more than to be known. */
function passwordsOf({ vehicles, faults }: FleetPlan): Passwords | undefined {
  if (!faults.some(({ fault }) => fault === 'hostile')) return undefined;
  return Object.fromEntries(
    vehicles.map(({ gateway }) => [gateway, { password: randomBytes(16).toString('hex') }]),
  );
}

async function claimFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length === 0) return;
  throw new FleetlogError('FLEETLOG_USAGE', `${folder} isn't empty; give another --data, a run begins anew.`);
}

/** A log that has records of the same gateways already can't be told from one that doubles them. */
async function refuseKnown(log: CloudLog, { vehicles }: FleetPlan): Promise<void> {
  const known = new Set((await log.streams()).map(({ gateway }) => gateway));
  const twice = vehicles.find(({ gateway }) => known.has(gateway));
  if (!twice) return;
  throw new FleetlogError(
    'FLEETLOG_USAGE',
    `The cloud already has records of ${twice.gateway}; rename the vehicles of the scenario, or use an empty cloud.`,
  );
}

/** Lets all vehicles drive. In real time the drive begins when the slowest has been heard of, so nothing is late. */
async function drive(
  { plan, folder }: RunOptions,
  { clock, signal, say }: RunParts,
): Promise<{ startUs: number; gateways: PreparedGateway[] }> {
  const { vehicles, durationUs, speed } = plan;
  // A clock that jumps can't say when a record is due.
  const hasFalseClocks = plan.faults.some(({ fault }) => fault === 'clock-jump');
  const pace = speed === 1 && !hasFalseClocks ? 'clock' : speed === Infinity ? 'max' : speed;
  // The recordings must be there before the drive begins; how long that takes is known from the first vehicle.
  const beganUs = clock.monotonicUs();
  let startUs = plan.virtualStartUs;
  const taskOf = (vehicle: PlannedVehicle): DriveTask => ({
    vehicle,
    options: { startUs, durationUs, pace },
    folder: join(folder, 'gateways', vehicle.gateway),
  });
  if (speed !== Infinity) {
    await driveAll([taskOf(vehicles[0])], signal);
    const perVehicleUs = 1.5 * (clock.monotonicUs() - beganUs);
    startUs = Math.ceil((clock.nowUs() + perVehicleUs * vehicles.length + LEAD_US) / 1e6) * 1e6;
  }
  const gateways = await driveAll(vehicles.map(taskOf), signal);
  const records = gateways.flatMap(({ entries }) => entries).reduce((sum, entry) => sum + entry.records, 0);
  const tookS = ((clock.monotonicUs() - beganUs) / 1e6).toFixed(1);
  say(`${vehicles.length} vehicles say ${records.toLocaleString('en-US')} records (driven in ${tookS} s).`);
  return { startUs, gateways };
}

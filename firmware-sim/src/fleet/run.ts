import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import { ledgerHash, writeLedger, type Ledger } from '../ledger/ledger.js';
import { announcement, failureOf, Processes, type RunningProcess } from '../processes/processes.js';
import type { FleetPlan } from '../scenario/load.js';
import { CloudLog } from '../verdict/cloud-log.js';
import { judge, type Verdict } from '../verdict/verdict.js';
import { Ages } from './ages.js';
import { prepareGateway, writeGatewayConfig, type PreparedGateway } from './gateways.js';
import { Progress } from './progress.js';

export interface RunOptions {
  plan: FleetPlan;
  /** Takes recordings, buffers, logs and the ledger; it must be new or empty. */
  folder: string;
  /** Of a cloud that runs; without it the run has one of its own in its folder. */
  cloud: { mqttUrl: string; httpUrl: string } | undefined;
  /** Gateways at work at one time where time is virtual. */
  parallel: number;
}

export interface RunParts {
  clock: Clock;
  signal: AbortSignal;
  say: (text: string) => void;
}

/** Where it is kept within the folder of a run. */
export const LEDGER_FILE = 'ledger.json';
/** The time between "go" and the drive's first moment, in real time: gateways start within it. */
const LEAD_US = 1e6;

const script = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const cloudScript = script('cloud/dist/cli/cloud-bin.js');
const gatewayScript = script('gateway/dist/cli/bin.js');

/**
 * Drives a fleet against a cloud with real gateways, each a process, and says what became of every record. Errors: the
 * sentence of a process that can't work, FLEETLOG_USAGE for the folder, those of `CloudLog`, and the signal's reason.
 */
export async function runScenario(options: RunOptions, parts: RunParts): Promise<Verdict> {
  const { plan, folder } = options;
  await claimFolder(folder);
  await using processes = await Processes.create(join(folder, 'logs'));
  const cloud = options.cloud ?? (await ownCloud(processes, folder));
  const log = new CloudLog(cloud.httpUrl, parts.signal);
  await refuseKnown(log, plan);

  const { startUs, gateways } = await drive(options, parts);
  for (const gateway of gateways) await writeGatewayConfig(gateway, cloud.mqttUrl);
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

  const ages = plan.speed === 1 ? new Ages(cloud.httpUrl, parts.clock) : undefined;
  const watched = new AbortController();
  const watching = ages?.watch(AbortSignal.any([parts.signal, watched.signal]));
  try {
    await forward(gateways, processes, options, parts);
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

async function claimFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length === 0) return;
  throw new FleetlogError('FLEETLOG_USAGE', `${folder} isn't empty; give another --data, a run begins anew.`);
}

async function ownCloud(processes: Processes, folder: string): Promise<{ mqttUrl: string; httpUrl: string }> {
  const data = join(folder, 'cloud');
  const args = ['--data', data, '--mqtt', '127.0.0.1:0', '--http', '127.0.0.1:0'];
  const process = processes.start('cloud', cloudScript, args);
  const [, mqtt, http] = await announcement(process, /^ready mqtt=(\S+) http=(\S+)$/m);
  return { mqttUrl: `mqtt://${mqtt}`, httpUrl: `http://${http}` };
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
  const pace = speed === 1 ? 'clock' : speed === Infinity ? 'max' : speed;
  // The recordings must be there before the drive begins; how long that takes is known from the first vehicle.
  const beganUs = clock.monotonicUs();
  let startUs = plan.virtualStartUs;
  const gateways: PreparedGateway[] = [];
  const prepare = async (at: number): Promise<PreparedGateway> => {
    signal.throwIfAborted();
    const vehicle = vehicles[at];
    return prepareGateway(vehicle, { startUs, durationUs, pace }, join(folder, 'gateways', vehicle.gateway));
  };
  if (speed !== Infinity) {
    await prepare(0);
    const perVehicleUs = 1.5 * (clock.monotonicUs() - beganUs);
    startUs = Math.ceil((clock.nowUs() + perVehicleUs * vehicles.length + LEAD_US) / 1e6) * 1e6;
  }
  for (let i = 0; i < vehicles.length; i++) gateways.push(await prepare(i));
  const records = gateways.flatMap(({ entries }) => entries).reduce((sum, entry) => sum + entry.records, 0);
  const tookS = ((clock.monotonicUs() - beganUs) / 1e6).toFixed(1);
  say(`${vehicles.length} vehicles say ${records.toLocaleString('en-US')} records (driven in ${tookS} s).`);
  return { startUs, gateways };
}

/** Runs the gateways until each has brought all of its records into the log. */
async function forward(
  gateways: readonly PreparedGateway[],
  processes: Processes,
  { plan, parallel }: RunOptions,
  parts: RunParts,
): Promise<void> {
  const { signal } = parts;
  const waiting = [...gateways];
  const progress = new Progress(gateways.length, parts);
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  stopped.catch(() => undefined);
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      signal.throwIfAborted();
      const args = ['--config', next.configPath, '--until-drained', '--quiet'];
      const running: RunningProcess = processes.start(next.gateway, gatewayScript, args);
      if ((await Promise.race([running.exit, stopped])) !== 0) throw failureOf(running);
      progress.done();
    }
  };
  const workers = plan.speed === Infinity ? Math.min(parallel, gateways.length) : gateways.length;
  try {
    await Promise.all(Array.from({ length: workers }, worker));
  } finally {
    progress.end();
  }
}

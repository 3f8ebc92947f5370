import { fileURLToPath } from 'node:url';
import type { Clock } from '@fleetlog/shared/util';
import type { Processes } from '../processes/processes.js';
import type { FleetPlan } from '../scenario/load.js';
import type { CloudAddress, OwnCloud, Passwords } from './cloud.js';
import { writeGatewayConfig, type PreparedGateway } from './gateways.js';
import { Mischief } from './mischief.js';
import { letHappen } from './mishaps.js';
import { Progress } from './progress.js';
import { Supervised } from './supervised.js';
import { timelineOf, type Happening } from './timeline.js';

export interface RunParts {
  clock: Clock;
  signal: AbortSignal;
  say: (text: string) => void;
}

export interface ForwardOptions {
  plan: FleetPlan;
  gateways: readonly PreparedGateway[];
  processes: Processes;
  address: CloudAddress;
  /** Where the cloud is the run's own. */
  cloud: OwnCloud | undefined;
  /** When the drive begins, by the wall clock, µs. */
  startUs: number;
  /** Gateways at work at one time where time is virtual. */
  parallel: number;
  passwords: Passwords | undefined;
}

const gatewayScript = fileURLToPath(new URL('../../../gateway/dist/cli/bin.js', import.meta.url));

/** Runs the gateways, with all that happens to them, until each has brought all of its records into the log. */
export async function forward(options: ForwardOptions, parts: RunParts): Promise<void> {
  const { plan, gateways, processes, cloud, startUs } = options;
  const isVirtual = plan.speed === Infinity;
  const timeline = isVirtual ? [] : timelineOf(plan);
  if (isVirtual && plan.faults.length + plan.deadZones.length > 0) {
    parts.say(
      'Time is virtual: vehicles have their tunnels, but nothing happens to network, power and cloud.',
    );
  }
  const names = gateways.map(({ gateway }) => gateway);
  const mischief = Mischief.prepare(timeline, options.address.mqttUrl, names, plan.seed);
  await using ends = new AsyncDisposableStack();
  ends.use(mischief);
  const environments = new Map<string, Record<string, string>>();
  for (const gateway of gateways) {
    const equipment = await mischief.equip(gateway.gateway, gateway.folder);
    environments.set(gateway.gateway, equipment.environment);
    await writeGatewayConfig(gateway, equipment, options.passwords?.[gateway.gateway]?.password);
  }
  const stop = new AbortController();
  const signal = AbortSignal.any([parts.signal, stop.signal]);
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => undefined);
  const reject = (): void => stopped.reject(signal.reason);
  signal.addEventListener('abort', reject, { once: true });
  const running = new Map<string, Supervised>();
  const power = async (gateway: string, isUp: boolean): Promise<void> => {
    const victim = gateway === '' ? cloud : running.get(gateway);
    if (isUp) void victim?.restore();
    else await victim?.cut();
  };
  const excuse = (gateway: string, isExcused: boolean): void => running.get(gateway)?.excuse(isExcused);
  // Cards can be taken out when nobody uses them any more.
  ends.defer(async () => void (await Promise.all([...running.values()].map((one) => one.cut()))));
  const progress = new Progress(gateways.length, parts);
  const waiting = [...gateways];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      signal.throwIfAborted();
      const { gateway, configPath } = next;
      const args = ['--config', configPath, '--until-drained', '--quiet'];
      const supervised = new Supervised(() =>
        processes.start(gateway, gatewayScript, args, environments.get(gateway)),
      );
      running.set(gateway, supervised);
      await Promise.race([supervised.done, stopped.promise]);
      progress.done();
    }
  };
  try {
    const workers = Array.from(
      { length: isVirtual ? Math.min(options.parallel, gateways.length) : gateways.length },
      worker,
    );
    const happening = happen(timeline, startUs, plan, mischief.mishaps(power, excuse), parts, signal);
    await Promise.race([Promise.all([happening, ...workers]), ...(cloud ? [cloud.failure] : [])]);
  } finally {
    stop.abort(new Error('the run is over'));
    progress.end();
  }
}

async function happen(
  timeline: readonly Happening[],
  startUs: number,
  { speed }: FleetPlan,
  mishaps: Parameters<typeof letHappen>[2],
  parts: RunParts,
  signal: AbortSignal,
): Promise<void> {
  if (timeline.length === 0) return;
  const leadUs = speed === 1 ? startUs - parts.clock.nowUs() : 0;
  if (leadUs > 0) await parts.clock.sleep(leadUs / 1000, signal);
  await letHappen(timeline, speed, mishaps, parts, signal);
}

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Prng } from '#sim/vehicle/prng.js';
import { checkCloud, type Score } from './check.js';
import type { Cloud } from './cloud.js';
import { describeFaults, Faults, type FaultCounts } from './faults.js';
import { Gateway } from './gateway.js';
import { generatedRecordings, type Recording } from './recordings.js';
import { TcpProxy } from './tcp-proxy.js';

export interface RoundOptions {
  seed: number;
  round: number;
  /** Gateways' folders go here; removed at the end of a round in which all was well. */
  folder: string;
  /** Running; it is killed and started again in the course of the round. */
  cloud: Cloud;
  /** Real recordings to draw from; the round adds generated ones of its own. */
  recordings: readonly Recording[];
  /** About how long the recordings take, s. */
  transferSeconds: number;
  /** One silence of 30 s in the link, beside the short ones. */
  longSilence: boolean;
}

export interface RoundResult {
  score: Score;
  faults: FaultCounts;
  seconds: number;
  /** What the processes said; for the case that something is wrong. */
  logs: string;
}

const drainMsMax = 180_000;

/**
 * One round: a few gateways bring recordings to the cloud through a bad network, while gateways and cloud are killed
 * and started again. In the end everything must be in the cloud, once, byte for byte. All that happens follows from
 * seed and round, but for the moments at which the machine gets to it.
 */
export async function playRound(options: RoundOptions): Promise<RoundResult> {
  const { cloud, folder } = options;
  // Each part has its own, so that how many messages go by doesn't change what is killed.
  const prng = (part: number): Prng => new Prng(options.seed, 10_000 * part + options.round);
  const beganMs = performance.now();
  await using proxy = await TcpProxy.start(prng(1));
  proxy.brokerPort = cloud.mqttPort;
  const gateways = await prepareGateways(options, prng(2), proxy.port);
  const faults = new Faults(prng(3), proxy, cloud, gateways);
  const logs = (): string =>
    [cloud.command, ...gateways.map(({ command }) => command)]
      .map(({ name, log }) => `===== ${name}\n${log.slice(-20_000)}`)
      .join('\n');
  try {
    for (const { command } of gateways) command.start();
    await faults.strike(options.transferSeconds * 1000, options.longSilence);
    const endedMs = performance.now();
    for (const gateway of gateways) await gateway.drained(drainMsMax - (performance.now() - endedMs));
    const score = await checkCloud(
      cloud,
      gateways.flatMap(({ expectations }) => expectations),
    );
    if (score.complaints.length === 0) await rm(folder, { recursive: true, force: true });
    return { score, faults: faults.counts, seconds: (performance.now() - beganMs) / 1000, logs: logs() };
  } catch (error) {
    throw new Error(
      `round ${options.round} of seed ${options.seed} broke off; ${describeFaults(faults.counts)}\n${logs()}`,
      {
        cause: error,
      },
    );
  } finally {
    for (const { command } of gateways) await command.kill();
  }
}

async function prepareGateways(options: RoundOptions, prng: Prng, port: number): Promise<Gateway[]> {
  const { round, folder, transferSeconds } = options;
  const generated = generatedRecordings(options.seed * 1000 + round, 8 + prng.below(8));
  const pool = [...options.recordings];
  const take = (): Recording[] => (pool.length > 0 ? pool.splice(prng.below(pool.length), 1) : []);
  const loads = [generated, [...take(), ...take()], [...take(), ...take()]].filter((load) => load.length > 0);
  if (loads.length === 1) loads.push(generatedRecordings(options.seed * 1000 + round + 500, 6));
  const gateways: Gateway[] = [];
  for (const [index, load] of loads.entries()) {
    const id = `r${round}-${index}`;
    gateways.push(
      await Gateway.prepare(id, join(folder, id), load, {
        url: `mqtt://127.0.0.1:${port}`,
        uplink: uplinkOptions(prng, options.longSilence),
        batch: { linger: `${20 + prng.below(400)}ms`, records: 200 + prng.below(1800) },
        pace: ({ seconds }) => (seconds > 0 ? Math.max(0.01, seconds / transferSeconds) : 'max'),
      }),
    );
  }
  return gateways;
}

/** Impatient, so that a round is short; in a round with a long silence also as the product comes. */
function uplinkOptions(prng: Prng, asShipped: boolean): object {
  if (asShipped && prng.chance(0.5)) return {};
  return {
    ackTimeout: `${200 + prng.below(600)}ms`,
    keepAlive: `${1 + prng.below(5)}s`,
    reconnect: `${300 + prng.below(1500)}ms`,
    connectTimeout: `${300 + prng.below(1200)}ms`,
    window: { batches: [4, 16, 64][prng.below(3)], bytes: ['16KiB', '256KiB', '4MiB'][prng.below(3)] },
  };
}

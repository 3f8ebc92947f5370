import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Prng } from '#sim/vehicle/prng.js';
import { askGateway } from '#gateway/control/client.js';
import type { GatewayReport } from '#gateway/control/status.js';
import { Accountant } from './account.js';
import { Cloud } from '../chaos/cloud.js';
import { until } from '../until.js';
import { cutKinds, playCut, type Cut, type CutResult, type CutScene } from './cut.js';
import type { Moment } from './moments.js';
import { PowerDisk } from './power-disk.js';
import { Listener } from './said.js';
import { PowerVehicle } from './vehicle.js';

export interface SeriesOptions {
  seed: number;
  /** Number of the first cut; kind and moment of each follow from seed and number. */
  first: number;
  cuts: number;
  folder: string;
  withoutSync?: boolean;
  /** Share of the cuts that leave a random half of the unflushed sectors. */
  tornShare?: number;
  /** Only the gateway is killed: what it wrote stays. */
  isKill?: boolean;
  onCut?: (index: number, cut: Cut, result: CutResult) => void;
}

export interface PowerScore {
  cuts: number;
  /** Records that gateways called durable before a cut. */
  acknowledged: number;
  lostBatches: number;
  lostRecords: number;
  failedStarts: number;
  /** Cuts that fell in each of these, as the gateways told. */
  moments: Record<Moment, number>;
  complaints: string[];
}

export const emptyPowerScore = (): PowerScore => ({
  cuts: 0,
  acknowledged: 0,
  lostBatches: 0,
  lostRecords: 0,
  failedStarts: 0,
  moments: { start: 0, salvage: 0, trim: 0, evict: 0, write: 0 },
  complaints: [],
});

const diskBytes = 128 * 1024 * 1024;
const drainMsMax = 60_000;

/**
 * One gateway whose power is cut again and again, always on the same disk; each life goes on with what the last one
 * left. In the end the cloud gets all that the buffer holds and must know of every batch.
 */
export async function playSeries(options: SeriesOptions, score: PowerScore): Promise<void> {
  const { first, cuts, folder, withoutSync = false, onCut } = options;
  await mkdir(folder, { recursive: true });
  const cloud = new Cloud(join(folder, 'cloud'));
  await cloud.start();
  await using disk = await PowerDisk.create(folder, diskBytes);
  const vehicle = new PowerVehicle(`power-${first}`, folder, disk.path);
  const scene: CutScene = {
    disk,
    vehicle,
    cloud: `mqtt://127.0.0.1:${cloud.mqttPort}`,
    listener: new Listener(),
    accountant: new Accountant(),
    startMs: 0,
  };
  try {
    for (let index = first; index < first + cuts; index++) {
      const cut = withoutSync ? controlCut : cutOf(options, index);
      const result = await playCut(scene, cut);
      score.cuts++;
      score.acknowledged += result.acknowledged;
      score.lostBatches += result.lostBatches;
      score.lostRecords += result.lostRecords;
      for (const moment of result.moments) score.moments[moment]++;
      if (result.failedStart !== undefined) score.failedStarts++;
      const why = [...(result.failedStart === undefined ? [] : [result.failedStart]), ...result.complaints];
      score.complaints.push(...why.map((text) => `cut ${index} (${cut.kind}): ${text}`));
      onCut?.(index, cut, result);
      if (why.length > 0) return; // what comes after would complain of the same
    }
    score.complaints.push(...(await drained(scene, cloud)));
  } finally {
    await cloud.command.kill();
  }
}

/** Long enough after the start that something is durable, without any help of half a write. */
const controlCut: Cut = { kind: 'offline', afterMs: 1200, share: 0, loss: 'all', withoutSync: true };

/** Of five cuts each is of another kind; the first of a series has nothing yet that it could salvage. */
function cutOf({ seed, first, tornShare = 0, isKill = false }: SeriesOptions, index: number): Cut {
  const prng = new Prng(seed, 20_000 + index);
  const place = index % (cutKinds.length + 1);
  const order = shuffled(cutKinds, new Prng(seed, 10_000 + index - place));
  return {
    kind: index === first || place === 0 ? 'offline' : order[place - 1],
    afterMs: Math.round(prng.between(100, 1800)),
    share: prng.unit(),
    loss: isKill ? 'users' : prng.chance(tornShare) ? { halfOfSeed: seed + index } : 'all',
  };
}

function shuffled<T>(values: readonly T[], prng: Prng): T[] {
  const left = [...values];
  return values.map(() => left.splice(prng.below(left.length), 1)[0]);
}

/** What the cloud doesn't know of when it has got everything. */
async function drained({ disk, vehicle }: CutScene, cloud: Cloud): Promise<string[]> {
  return disk.mounted(async () => {
    const gateway = await vehicle.start({ silent: true, cloud: `mqtt://127.0.0.1:${cloud.mqttPort}` });
    try {
      await until(
        'the buffer is empty',
        async () => {
          const report = (await askGateway(vehicle.controlSocket, 'status')) as GatewayReport | undefined;
          return report?.uplink?.connected && report.streams.every(({ batches }) => batches === 0);
        },
        drainMsMax,
      );
      await gateway.stop();
      const gaps = await cloud.gaps(vehicle.id);
      return gaps === undefined ? [] : [`fleetlog gaps says: ${gaps}`];
    } catch (error) {
      return [`the buffer didn't drain: ${String(error)}\n${gateway.log.slice(-3000)}`];
    } finally {
      await gateway.kill();
    }
  });
}

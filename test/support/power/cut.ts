import { join } from 'node:path';
import { silentLogger } from '@fleetlog/shared/log';
import { openBuffer } from '#gateway/buffer/open-buffer.js';
import { askGateway } from '#gateway/control/client.js';
import type { GatewayReport } from '#gateway/control/status.js';
import { bufferOptions } from '../buffer-options.js';
import type { Command } from '../chaos/process.js';
import { cutFile } from '../damage/damage.js';
import { until } from '../until.js';
import { emptyAccount, type Accountant, type CutAccount } from './account.js';
import type { Loss, PowerDisk } from './power-disk.js';
import { saysSalvage, type Moment } from './moments.js';
import type { Listener } from './said.js';
import type { LifeOptions, PowerVehicle } from './vehicle.js';

/** What the gateway is to be doing when the power goes. */
export const cutKinds = ['trim', 'evict', 'start', 'salvage'] as const;

export interface Cut {
  kind: (typeof cutKinds)[number] | 'offline';
  /** From the gateway's first answer; where it is cut at its start or salvage, nothing. */
  afterMs: number;
  /** 0 to 1: how far into what it is doing then. */
  share: number;
  loss: Loss;
  withoutSync?: boolean;
}

export interface CutResult extends CutAccount {
  /** Records that were called durable in this life. */
  acknowledged: number;
  /** What it really was at. */
  moments: Moment[];
  /** Why the gateway didn't start again by itself. */
  failedStart?: string;
  log: string;
}

export interface CutScene {
  disk: PowerDisk;
  vehicle: PowerVehicle;
  listener: Listener;
  accountant: Accountant;
  /** `mqtt://…` */
  cloud: string;
  /** How long the last start took. */
  startMs: number;
}

const startMsMax = 60_000;
const momentMsMax = 60_000;
/** About as long as a salvage takes. */
const salvageMs = 150;
/** From the answer that told of it to its barrier, and a little more. */
const stepMs = 20;

/** One life that ends with a power cut, and what is on the disk then. */
export async function playCut(scene: CutScene, cut: Cut): Promise<CutResult> {
  const { disk, vehicle, listener } = scene;
  if (cut.kind === 'salvage') {
    await disk.mounted(() => cutFile(join(vehicle.bufferFolder, 'CURRENT'), 0).catch(() => undefined));
  }
  await disk.powerOn(cut.loss);
  const before = records(listener);
  const gateway = await vehicle.start(lifeOf(scene, cut));
  const silence = new AbortController();
  const listening = listener.listen(vehicle.controlSocket, silence.signal);
  let failedStart: string | undefined;
  try {
    await theMoment(scene, gateway, cut);
    if (!gateway.running) failedStart = 'it ended before the power did';
  } catch (error) {
    failedStart = String(error);
  }
  let doing: Moment[] = [];
  await disk.cutPower(async () => {
    doing = listener.witness.now(gateway.log);
    await gateway.kill();
  });
  silence.abort();
  await listening;
  const acknowledged = records(listener) - before;
  const account = await disk.mounted(() => look(scene, gateway, cut.kind === 'trim'));
  return {
    ...account,
    acknowledged,
    moments: doing,
    ...((failedStart ?? account.failedStart) && { failedStart: failedStart ?? account.failedStart }),
    log: gateway.log,
  };
}

function lifeOf({ cloud }: CutScene, { kind, withoutSync = false }: Cut): LifeOptions {
  return {
    withoutSync,
    cloud: kind === 'trim' ? cloud : undefined,
    ...(kind === 'evict' && { limit: '1MiB' }),
  };
}

const records = ({ said }: Listener): number => [...said.values()].reduce((sum, s) => sum + s.records, 0);

/** Resolves when the power is to go. */
async function theMoment(scene: CutScene, gateway: Command, cut: Cut): Promise<void> {
  const { kind, afterMs, share } = cut;
  const { witness } = scene.listener;
  if (kind === 'start') return sleep(share * scene.startMs);
  if (kind === 'salvage') {
    await gateway.says(saysSalvage, startMsMax);
    return sleep(share * salvageMs);
  }
  const beganMs = performance.now();
  const isUp = (): boolean => {
    if (!gateway.running) throw new Error('it ended at its start');
    return witness.answers > 0;
  };
  await until('the gateway answers', isUp, startMsMax);
  scene.startMs = performance.now() - beganMs;
  await sleep(afterMs);
  if (kind === 'offline') return;
  const times = witness.times(kind);
  await until(`the gateway is at it: ${kind}`, () => witness.times(kind) > times, momentMsMax);
  await sleep(share * stepMs);
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts the gateway on what the power left, ends it, and reads the buffer. */
async function look(
  { vehicle, listener, accountant }: CutScene,
  died: Command,
  hadCloud: boolean,
): Promise<CutAccount & { failedStart?: string }> {
  const gateway = await vehicle.start({ silent: true });
  try {
    await until(
      'the gateway answers',
      async () => {
        if (!gateway.running) throw new Error('it ended at its start');
        return (await askGateway(vehicle.controlSocket, 'status')) as GatewayReport | undefined;
      },
      startMsMax,
    );
    const exit = await gateway.stop();
    if (exit?.status !== 0) throw new Error(`it ended with ${exit?.status ?? exit?.signal}`);
  } catch (error) {
    await gateway.kill();
    died.log += gateway.log;
    return { ...emptyAccount(), failedStart: `after the cut: ${String(error)}` };
  }
  died.log += gateway.log;
  const options = bufferOptions(vehicle.bufferFolder, { gateway: vehicle.id, logger: silentLogger });
  await using buffer = await openBuffer({ ...options, salvage: false });
  return await accountant.account(buffer, listener.said.values(), hadCloud);
}

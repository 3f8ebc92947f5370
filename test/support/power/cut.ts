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
import { Listener } from './said.js';
import type { LifeOptions, PowerVehicle } from './vehicle.js';

/** What the gateway is doing when the power goes. */
export const cutKinds = ['offline', 'trim', 'evict', 'start', 'salvage'] as const;
type CutKind = (typeof cutKinds)[number];

export interface Cut {
  kind: CutKind;
  /** From the gateway's first answer, or from its start where that or its salvage is what is cut. */
  afterMs: number;
  loss: Loss;
  withoutSync?: boolean;
}

export interface CutResult extends CutAccount {
  /** Records that were called durable in this life. */
  acknowledged: number;
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
}

const startMsMax = 60_000;

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
    if (cut.kind !== 'start' && cut.kind !== 'salvage') await answered(listener, gateway);
    await new Promise((resolve) => setTimeout(resolve, cut.afterMs));
    if (!gateway.running) failedStart = 'it ended before the power did';
  } catch (error) {
    failedStart = String(error);
  }
  await disk.cutPower(() => gateway.kill());
  silence.abort();
  await listening;
  const acknowledged = records(listener) - before;
  const account = await disk.mounted(() => look(scene, gateway, cut.kind === 'trim'));
  return {
    ...account,
    acknowledged,
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

async function answered(listener: Listener, gateway: Command): Promise<void> {
  const before = listener.answers;
  const isUp = (): boolean => {
    if (!gateway.running) throw new Error('it ended at its start');
    return listener.answers > before;
  };
  await until('the gateway answers', isUp, startMsMax);
}

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

import { isLifeId } from '@fleetlog/shared/batch';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { OrderedStore } from '@fleetlog/shared/store';
import { newEpoch } from '@fleetlog/shared/util';
import { keys } from './keys.js';

/** The epoch of this folder; a new one, durable before it is used, where the folder is new. */
export async function readLife(
  store: OrderedStore,
  { gateway, path }: { gateway: string; path: string },
): Promise<string> {
  const stored = await store.get(keys.life());
  if (!stored) {
    const epoch = newEpoch();
    const value = Buffer.from(JSON.stringify({ version: 1, epoch, gateway }));
    await store.write([{ type: 'put', key: keys.life(), value }]);
    await store.sync();
    return epoch;
  }
  const life = JSON.parse(Buffer.from(stored).toString()) as Record<string, unknown>;
  if (life.version !== 1 || !isLifeId(life.epoch)) {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `The buffer folder ${path} was written by another version of Fleetlog; update this one, or move the folder aside.`,
    );
  }
  if (life.gateway !== gateway) {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `The buffer folder ${path} belongs to the gateway "${String(life.gateway)}", not to "${gateway}"; ` +
        'choose another folder with "data", or that id with "gateway".',
    );
  }
  return life.epoch;
}

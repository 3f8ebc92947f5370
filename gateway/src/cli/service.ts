import { resolve } from 'node:path';
import { serviceUser, setUpOf, systemdUnit, thisProgram } from '@fleetlog/shared/service';
import type { GatewayConfig } from '../config.js';

/** Of the C library; the reasons are in `bin.ts`, which systemd doesn't read. */
const environment = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_MMAP_THRESHOLD_: '131072',
};

/** Prints a systemd unit for a gateway, with the rights that its sources need and no others. */
export function printService(config: GatewayConfig, path = '', user = serviceUser()): void {
  const { gateway, data } = config;
  const streams = Object.values(config.streams);
  const usesPorts = streams.some(({ source }) => source === 'serial' || source === 'slcan');
  // Programs may need anything that a user of this machine has.
  const runsPrograms = streams.some(({ source }) => source === 'command');
  const restartsBuses = streams.some(({ restart }) => restart !== undefined);
  const name = 'fleetlog-gateway';
  const file = resolve(path);
  process.stdout.write(
    systemdUnit({
      name,
      description: `Fleetlog gateway ${gateway}`,
      command: [...thisProgram(), '--config', file, '--quiet'],
      environment,
      user,
      groups: usesPorts ? ['dialout'] : [],
      capabilities: restartsBuses ? ['CAP_NET_ADMIN'] : [],
      data,
      usesDevices: usesPorts || runsPrograms,
      addressFamilies: ['AF_NETLINK', 'AF_CAN'],
      setUp: setUpOf(name, user, data, ['--config', file, '--user', user]),
    }),
  );
}

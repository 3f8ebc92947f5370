import { resolve } from 'node:path';
import { serviceUser, setUpOf, systemdUnit, thisProgram } from '@fleetlog/shared/service';
import type { CloudConfig, CloudFlags } from '../config.js';

/** Ports below this one are for those who may. */
const portUnprivilegedMin = 1024;
/** Connections of gateways, and some for the log. */
const openFilesBeside = 4096;

/** Prints a systemd unit for a cloud that is started with these flags. */
export function printService(
  config: CloudConfig,
  flags: CloudFlags & { config?: string; user?: string },
): void {
  const { data, mqtt, http } = config;
  const { user = serviceUser() } = flags;
  const name = 'fleetlog-cloud';
  const given = [
    ['--config', flags.config && resolve(flags.config)],
    ['--data', flags.data && resolve(flags.data)],
    ['--mqtt', flags.mqtt],
    ['--http', flags.http],
    ['--log-level', flags.logLevel],
  ].flatMap(([flag, value]) => (flag !== undefined && value !== undefined ? [flag, value] : []));
  const ports = [http.port, mqtt.port, ...(mqtt.tls ? [mqtt.tls.port] : [])];
  process.stdout.write(
    systemdUnit({
      name,
      description: 'Fleetlog cloud',
      command: [...thisProgram(), ...given],
      user,
      capabilities: ports.some((port) => port > 0 && port < portUnprivilegedMin)
        ? ['CAP_NET_BIND_SERVICE']
        : [],
      data,
      addressFamilies: [],
      openFilesMax: mqtt.connectionsMax + openFilesBeside,
      setUp: setUpOf(name, user, data, [...given, '--user', user]),
    }),
  );
}

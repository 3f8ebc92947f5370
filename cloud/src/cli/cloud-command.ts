import type { Command } from 'commander';
import { createCommand, describeCommand, stopSignal } from '@fleetlog/shared/cli';
import { createLogger, logLevels } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { backupCommand, restoreCommand, verifyBackupCommand } from './cloud-backup.js';
import { loadCloudConfig, type CloudFlags } from '../config.js';
import { formatAddress } from '../listen.js';
import { runCloud } from '../main.js';

/** The command line of `fleetlog-cloud`. */
export function cloudCommand(): Command {
  const program = createCommand(
    'fleetlog-cloud',
    'The whole cloud in one process: broker, log, index and API.',
    [
      'fleetlog-cloud --data ./cloud',
      'fleetlog-cloud --data ./cloud --mqtt 127.0.0.1:0 --http [::1]:8080',
      'fleetlog-cloud --config cloud.yaml --rebuild-index',
      'fleetlog-cloud backup /mnt/disk/fleet',
    ],
  );
  withFlags(program)
    .option('--rebuild-index', 'delete the index and build it from the log first')
    .action(async (flags: CommonFlags & { rebuildIndex?: boolean }) => {
      const config = loadCloudConfig(flags.config, process.env, flags);
      await runCloud(config, {
        logger: createLogger('cloud', config.logLevel),
        clock: systemClock,
        signal: stopSignal(),
        rebuildIndex: flags.rebuildIndex ?? false,
        onRebuild: (left) =>
          void process.stderr.write(
            `fleetlog-cloud: building the index, ${left.toLocaleString('en')} batches left\n`,
          ),
        onReady: ({ mqtt, http }) =>
          void process.stdout.write(
            `ready mqtt=${formatAddress(mqtt)}${http ? ` http=${formatAddress(http)}` : ''}\n`,
          ),
      });
    });
  withFlags(
    describeCommand(
      program.command('service'),
      'Prints a systemd unit that starts this cloud at boot and after whatever ended it, and how it is set up.',
      ['fleetlog-cloud service --config /etc/fleetlog/cloud.yaml --user fleetlog'],
    ),
  )
    .option('--user <name>', 'who runs it; by default who asks, or "fleetlog" for root')
    .action(async (own: CommonFlags & { user?: string }) => {
      const flags = { ...program.opts<CommonFlags>(), ...own };
      const { printService } = await import('./cloud-service.js');
      printService(loadCloudConfig(flags.config, process.env, flags), flags);
    });
  return program.addCommand(backupCommand()).addCommand(restoreCommand()).addCommand(verifyBackupCommand());
}

type CommonFlags = CloudFlags & { config?: string };

const withFlags = (command: Command): Command =>
  command
    .option('--data <dir>', 'folder of the log and the index (FLEETLOG_DATA)')
    .option('--mqtt <host:port>', 'address for gateways, 127.0.0.1:1883 without it (FLEETLOG_MQTT)')
    .option('--http <host:port>', 'address of the API, 127.0.0.1:8080 without it (FLEETLOG_HTTP)')
    .option('--config <file>', 'configuration of the cloud, YAML; flags and variables win over it')
    .option('--log-level <level>', `${logLevels.join(', ')} (FLEETLOG_LOG_LEVEL)`);

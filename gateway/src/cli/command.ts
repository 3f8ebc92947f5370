import type { Command } from 'commander';
import { createCommand, describeCommand } from '@fleetlog/shared/cli';
import { FleetlogError } from '@fleetlog/shared/errors';
import { logLevels, type LogLevel } from '@fleetlog/shared/log';
import { loadGatewayConfig, type GatewayConfig } from '../config.js';
import type { DoctorFlags } from './doctor.js';
import { printVerification, salvage } from './integrity.js';
import { printBuffer, printStatus } from './inspect.js';
import { run } from './run.js';

interface CommonFlags {
  config?: string;
  logLevel?: string;
}

const configFlag = ['--config <file>', 'configuration of the gateway, YAML'] as const;
const jsonFlag = ['--json', 'print JSON'] as const;

/** The command line of `fleetlog-gateway`. */
export function gatewayCommand(): Command {
  const program = createCommand('fleetlog-gateway', 'Captures, keeps and forwards what a vehicle says.', [
    'fleetlog-gateway --config truck-17.yaml',
    'fleetlog-gateway --config truck-17.yaml --until-drained',
    'fleetlog-gateway status --config truck-17.yaml',
    'fleetlog-gateway doctor',
  ])
    .enablePositionalOptions()
    .option(...configFlag)
    .option(
      '--until-drained',
      'end as soon as every source has ended and the cloud has acknowledged everything',
    )
    .option('--quiet', 'no progress and no summary')
    .option('--log-level <level>', logLevels.join(', '))
    .action(async (flags: CommonFlags & { untilDrained?: boolean; quiet?: boolean }) => {
      const { untilDrained = false, quiet = false } = flags;
      await run(load(flags), { untilDrained, quiet });
    });

  const subcommand = (parent: Command, name: string, description: string, ...examples: string[]): Command =>
    describeCommand(parent.command(name), description, examples)
      .option(...configFlag)
      .option(...jsonFlag);

  subcommand(
    program,
    'status',
    'What the gateway does, what its buffer holds, and what is on its buses.',
    'fleetlog-gateway status --config truck-17.yaml --ids',
    'fleetlog-gateway status --config truck-17.yaml --metrics > /var/lib/node_exporter/fleetlog.prom',
  )
    .option('--ids', 'identifiers of the CAN buses: rate, count, last value')
    .option('--metrics', "print metrics in Prometheus's text format")
    .action(async (flags: CommonFlags & { json?: boolean; ids?: boolean; metrics?: boolean }) => {
      await printStatus(load({ ...program.opts(), ...flags }), flags);
    });

  subcommand(
    program,
    'doctor',
    'Looks at CAN interfaces, serial ports, GPS, disk, clock and the way to the cloud; says what is wrong and what mends it (status 3). Changes nothing.',
    'fleetlog-gateway doctor',
    'fleetlog-gateway doctor --config truck-17.yaml',
    'fleetlog-gateway doctor --write-config truck-17.yaml',
  )
    .option('--write-config <file>', 'write a configuration of what was found')
    .option('--force', 'also over a file that is there')
    .option('--no-listen', 'open no serial port')
    .action(async (flags: CommonFlags & DoctorFlags) => {
      const all = { ...program.opts(), ...flags };
      const { doctor } = await import('./doctor.js');
      await doctor(all.config === undefined ? undefined : load(all), flags);
    });

  describeCommand(
    program.command('service'),
    'Prints a systemd unit that starts this gateway at boot and after whatever ended it, and how it is set up.',
    ['fleetlog-gateway service --config /etc/fleetlog/truck-17.yaml --user fleetlog'],
  )
    .option(...configFlag)
    .option('--user <name>', 'who runs it; by default who asks, or "fleetlog" for root')
    .action(async (flags: CommonFlags & { user?: string }) => {
      const all = { ...program.opts(), ...flags };
      const { printService } = await import('./service.js');
      printService(load(all), all.config, flags.user);
    });

  const buffer = describeCommand(program.command('buffer'), 'Looks into the buffer.', []);
  subcommand(
    buffer,
    'inspect',
    'What the buffer holds of each stream; of a running gateway too.',
    'fleetlog-gateway buffer inspect --config truck-17.yaml --stream can0',
  )
    .option('--stream <name>', 'this stream only')
    .action(async (flags: CommonFlags & { json?: boolean; stream?: string }) => {
      await printBuffer(load({ ...program.opts(), ...flags }), flags);
    });
  subcommand(
    buffer,
    'verify',
    'Reads all that the buffer of a stopped gateway holds, and changes nothing; status 3 where something is damaged.',
    'fleetlog-gateway buffer verify --config truck-17.yaml --json',
  ).action(async (flags: CommonFlags & { json?: boolean }) => {
    await printVerification(load({ ...program.opts(), ...flags }), flags);
  });
  subcommand(
    buffer,
    'salvage',
    'Rescues what reads of a damaged buffer, and makes gap records of the rest; a gateway does so at its start.',
    'fleetlog-gateway buffer salvage --config truck-17.yaml',
  )
    .option('--force', 'also where the database opens')
    .action(async (flags: CommonFlags & { json?: boolean; force?: boolean }) => {
      await salvage(load({ ...program.opts(), ...flags }), flags);
    });
  return program;
}

/** Errors: FLEETLOG_USAGE, FLEETLOG_CONFIG. */
function load({ config, logLevel }: CommonFlags): GatewayConfig {
  if (config === undefined) {
    throw new FleetlogError('FLEETLOG_USAGE', 'Say which gateway this is: --config FILE.yaml.');
  }
  if (logLevel !== undefined && !logLevels.includes(logLevel as LogLevel)) {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `There is no log level "${logLevel}"; choose one of ${logLevels.join(', ')}.`,
    );
  }
  return loadGatewayConfig(config, process.env, { logLevel });
}

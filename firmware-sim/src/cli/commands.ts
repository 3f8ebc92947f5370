import { Option, type Command } from 'commander';
import { createCommand, describeCommand, stopSignal } from '@fleetlog/shared/cli';
import { systemClock } from '@fleetlog/shared/util';
import { databaseText } from './database.js';
import { addFleetCommands } from './fleet.js';
import { addLoadCommand } from './load.js';
import { recordDrive } from './record.js';
import { speakSlcan, speakSlcanOn } from './slcan.js';
import { streamVehicle } from './stream.js';
import { loadFirmware } from '../scenario/firmware.js';
import { kindNames } from '../vehicle/kinds.js';
import type { Firmware } from '../vehicle/firmware.js';
import { drivings, type Driving } from '../vehicle/physics/driving.js';
import { failingParts, type FailingPart } from '../vehicle/physics/failing.js';
import type { Stretch } from '../vehicle/stretches.js';
import {
  parseDuration,
  parseFactor,
  parseFixRate,
  parseFormat,
  parseLap,
  parseSeed,
  parseSensorRate,
  parseStretch,
  parseTime,
  type SpokenFormat,
} from './values.js';

interface SetupOptions {
  failing?: FailingPart;
  driving?: Driving;
}

interface DriveOptions extends SetupOptions {
  seed: number;
  kind: string;
  firmware?: string;
  duration?: number;
  start?: number;
  can?: string;
  gps?: string;
  rate: number;
  fixRate: number;
}

interface StreamOptions extends SetupOptions {
  seed: number;
  kind: string;
  tunnel?: Stretch[];
  lap?: number;
  firmware?: string;
  format: SpokenFormat;
  interface: string;
  rate: number;
  fixRate: number;
  sensorRate: number;
  to?: string;
}

/** `fleetlog-sim`. */
export function simCommand(): Command {
  const sim = createCommand(
    'fleetlog-sim',
    'Vehicles that are not there: CAN frames and GPS sentences of an invented drive, the same for the same seed.',
    [
      'fleetlog-sim drive --seed 7 --duration 60s --can drive.candump --gps drive.nmea',
      'fleetlog-sim stream --seed 7 --format candump | head',
    ],
  );
  describeCommand(sim.command('drive'), 'Writes recordings of a drive, as fast as the disk takes them.', [
    'fleetlog-sim drive --seed 7 --duration 60s --can drive.candump --gps drive.nmea',
    'fleetlog-sim drive --duration 10min --start 2026-03-01T08:00:00Z --can drive.candump --rate 1.9',
    'fleetlog-sim drive --kind truck --duration 1h --can truck.candump',
    'fleetlog-sim drive --kind electric-car --driving wltc --duration 30min --can wltc.candump',
  ])
    .option('--seed <n>', 'which vehicle and drive, a whole number', parseSeed, 1)
    .addOption(kindOption())
    .addOption(firmwareOption())
    .option('--duration <time>', 'how long: 500ms, 60s, 5min, 2h (default: 60s)', parseDuration)
    .option('--start <time>', 'when the drive begins: ISO 8601 or Unix seconds (default: now)', parseTime)
    .option('--can <file>', 'write CAN frames there, as `candump -L` does')
    .option('--gps <file>', 'write NMEA 0183 sentences there')
    .option(
      '--rate <factor>',
      'CAN frames come this many times as often, 0.1 to 4; full at about 2',
      parseFactor,
      1,
    )
    .option('--fix-rate <hz>', 'GPS fixes per second, 1 to 10', parseFixRate, 1)
    .addOption(failingOption())
    .addOption(drivingOption())
    .action((options: DriveOptions) =>
      recordDrive({ ...options, firmware: firmwareOf(options) }, systemClock),
    );
  describeCommand(sim.command('stream'), 'Speaks like a vehicle under way, now, until it is stopped.', [
    'fleetlog-sim stream --seed 7 --format candump',
    'fleetlog-sim stream --seed 7 --format nmea --fix-rate 5',
    'fleetlog-sim stream --kind truck --format candump',
    'fleetlog-sim stream --kind truck --format nmea --tunnel 300m-700m --lap 2000m',
    'fleetlog-sim stream --kind truck --format candump --firmware firmware.yaml',
    'fleetlog-sim stream --format ubx --to pty:./ublox',
    'fleetlog-sim stream --format imu --to pty:./imu',
    'fleetlog-sim stream --format nmea --to gpsd:127.0.0.1:2947',
    'fleetlog-sim stream --format candump --to can:vcan0',
  ])
    .option('--seed <n>', 'which vehicle and drive, a whole number', parseSeed, 1)
    .addOption(kindOption())
    .addOption(firmwareOption())
    .requiredOption(
      '--format <format>',
      'candump (CAN frames), nmea (GPS sentences), ubx (the same with packets of u-blox) or imu (packets of an inertial sensor)',
      parseFormat,
    )
    .option('--to <port>', 'a port in the place of standard output: pty:PATH, gpsd:HOST:PORT, can:INTERFACE')
    .option('--interface <name>', 'interface name in candump text', 'can0')
    .option(
      '--rate <factor>',
      'CAN frames come this many times as often, 0.1 to 4; full at about 2',
      parseFactor,
      1,
    )
    .option('--fix-rate <hz>', 'GPS fixes per second, 1 to 10', parseFixRate, 1)
    .option(
      '--sensor-rate <hz>',
      'samples of the inertial sensor per second, 1 to 10000',
      parseSensorRate,
      1000,
    )
    .option('--tunnel <from-to>', 'a stretch without satellites, as 250m-450m; several times', parseStretch)
    .addOption(failingOption())
    .addOption(drivingOption())
    .option('--lap <length>', 'the tunnels come again after so much road, as 2000m', parseLap)
    .action((options: StreamOptions) =>
      streamVehicle(
        {
          ...options,
          firmware: options.firmware === undefined ? undefined : loadFirmware(options.firmware, options.kind),
          tunnels: options.tunnel ?? [],
          lapM: options.lap,
          interfaceName: options.interface,
          fixRateHz: options.fixRate,
          sensorRateHz: options.sensorRate,
        },
        process.stdout,
        systemClock,
        stopSignal(),
      ),
    );
  describeCommand(
    sim.command('slcan'),
    "Is a CAN adapter on the vehicle's bus that speaks the Lawicel protocol on standard input and output.",
    ['fleetlog-sim slcan --seed 7 --to pty:./slcan', 'fleetlog-sim slcan --kind truck --to pty:./slcan'],
  )
    .option('--seed <n>', 'which vehicle and drive, a whole number', parseSeed, 1)
    .addOption(kindOption('kind of vehicle; all but generic answer OBD-II and UDS'))
    .option('--rate <factor>', 'frames come this many times as often, 0.1 to 4', parseFactor, 1)
    .option('--to <port>', 'a serial port in the place of standard input and output: pty:PATH')
    .action(({ to, ...options }: { seed: number; kind: string; rate: number; to?: string }) =>
      to === undefined
        ? speakSlcan(options, process.stdin, process.stdout, systemClock, stopSignal())
        : speakSlcanOn({ ...options, to }, process.stdout, systemClock, stopSignal()),
    );
  addFleetCommands(sim);
  addLoadCommand(sim);
  describeCommand(
    sim.command('database').argument('<kind>', 'a kind of vehicle that a scenario can have'),
    'Prints what the frames of a kind of vehicle mean, as a DBC file.',
    ['fleetlog-sim database truck > truck.dbc', 'fleetlog databases add truck.dbc --name truck'],
  ).action((kind: string) => void process.stdout.write(databaseText(kind)));
  return sim;
}

const kindOption = (what = 'kind of vehicle; its frames mean what `fleetlog-sim database` says'): Option =>
  new Option('--kind <kind>', what).choices(kindNames).default('generic');

const failingOption = (): Option =>
  new Option('--failing <part>', 'a part of it that gets worse as it drives').choices(failingParts);

const drivingOption = (): Option =>
  new Option(
    '--driving <how>',
    'in towns only, or a published cycle again and again, on a flat road (default: anywhere)',
  ).choices(drivings);

const firmwareOption = (): Option =>
  new Option(
    '--firmware <file>',
    'how its electronics behave: the keys of `firmware` of a scenario, in YAML',
  );

/** As the option names it. Errors: FLEETLOG_CONFIG. */
const firmwareOf = ({ firmware, kind }: { firmware?: string; kind: string }): Firmware | undefined =>
  firmware === undefined ? undefined : loadFirmware(firmware, kind);

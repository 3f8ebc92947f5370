import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { candumpText } from '#sim/vehicle/can-bus.js';
import { nmeaText } from '#sim/vehicle/gps.js';
import { extraKinds } from '#sim/vehicle/messages.js';

/** Something to feed to a gateway. */
export interface Recording {
  name: string;
  format: 'candump' | 'lines';
  bytes: Buffer;
  /** Event time from first to last record, seconds; 0 where it has none. */
  seconds: number;
}

const repository = fileURLToPath(new URL('../../../../', import.meta.url));
/** Recordings of real vehicles and receivers; beside the repository where somebody has put them. */
export const realDataFolder = join(repository, '..', 'shared', 'data');

const canLogs = [
  'ford-fusion-2017/acc_on_going_at_50km_per_hour.candump',
  'ford-fusion-2017/acc_on_speed_changing_from_30km_to_80km_per_hour.candump.xz',
  'ford-fusion-2017/lane_keep_assist_on_green_lines.candump',
  'ford-fusion-2017/lkas-long.candump.xz',
  'savvycan/candump.log',
  'canboat/actisense-522.candump.log', // CR LF
];
/** Ten receivers: plain NMEA, NMEA with errors, and binary between the lines. */
const gpsLogs = [
  'bt451',
  'bu303-moving',
  'beidou-bd',
  'mtk-3301',
  'nmea-rtk',
  'quectel-l76k-nmea',
  'telit-he910',
  'ublox-8',
  'ublox-neo-m8l',
  'ublox-zed-f9r',
];

async function hasRealData(): Promise<boolean> {
  return access(realDataFolder).then(
    () => true,
    () => false,
  );
}

/** Empty where the data, or `xz` for the packed ones, aren't there. */
export async function realRecordings(): Promise<Recording[]> {
  if (!(await hasRealData())) return [];
  const recordings: Recording[] = [];
  for (const path of canLogs) {
    const bytes = await unpacked(join(realDataFolder, 'can-logs', path));
    if (bytes) recordings.push(candump(path.replace(/^.*\//, ''), bytes));
  }
  for (const name of gpsLogs) {
    const bytes = await readFile(join(realDataFolder, 'gps', 'gpsd', `${name}.log`));
    recordings.push({ name, format: 'lines', bytes, seconds: 0 });
  }
  return recordings;
}

/** A drive of an invented vehicle: its CAN bus with all kinds of frames, and its GPS receiver. */
export function generatedRecordings(seed: number, seconds: number): Recording[] {
  const drive = { seed, startUs: 1_767_225_600_000_000 + (seed % 1e6) * 1e6, durationUs: seconds * 1e6 };
  const can = Buffer.concat([...candumpText({ ...drive, extras: extraKinds })]);
  const gps = Buffer.from([...nmeaText({ ...drive, fixRateHz: 5 })].join(''));
  return [
    candump('generated.candump', can),
    { name: 'generated.nmea', format: 'lines', bytes: gps, seconds },
  ];
}

function candump(name: string, bytes: Buffer): Recording {
  const times = [...bytes.toString('latin1').matchAll(/^\((\d+\.\d+)\)/gm)];
  const seconds = Number(times.at(-1)?.[1] ?? 0) - Number(times[0]?.[1] ?? 0);
  return { name, format: 'candump', bytes, seconds };
}

async function unpacked(path: string): Promise<Buffer | undefined> {
  if (!path.endsWith('.xz')) return readFile(path);
  try {
    const options = { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 } as const;
    return (await promisify(execFile)('xz', ['--decompress', '--stdout', path], options)).stdout;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // no xz on this machine
    throw error;
  }
}

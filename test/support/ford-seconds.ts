import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { CandumpParser, type CanFrames } from '@fleetlog/shared/can';
import { parseCandump } from './candump-text.js';

const folder = '../shared/data/can-logs/ford-fusion-2017';
const names = [
  'acc_on_going_at_50km_per_hour.candump',
  'acc_on_speed_changing_from_30km_to_80km_per_hour.candump.xz',
];

export const whyNoFordSeconds = `there are no recordings in ${folder}`;

/** Two recordings of a car's main bus, 27 s, in batches of one second of event time; undefined where they aren't here. */
export function fordSeconds(): CanFrames[] | undefined {
  const paths = names.map((name) => `${folder}/${name}`);
  if (!paths.every((path) => existsSync(path))) return undefined;
  return paths.flatMap((path) => {
    const parser = new CandumpParser();
    parser.spanUs = 999_999;
    return parseCandump(unpacked(path).toString('latin1'), parser).batches;
  });
}

function unpacked(path: string): Buffer {
  return path.endsWith('.xz')
    ? execFileSync('xz', ['-dc', path], { maxBuffer: 1 << 28 })
    : readFileSync(path);
}

import { createHash } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import { LAP_M, TOWN_DRIVING, TUNNEL } from './town.js';

/** A gateway of the demo, with its configuration written. */
export interface PlannedGateway {
  id: string;
  configPath: string;
  /** Its streams, for people, and what they come from. */
  carries: string;
  what: string;
}

const simBin = fileURLToPath(new URL('../cli/bin.js', import.meta.url));

/** A vehicle of the demo that isn't there. */
export interface DemoVehicle {
  gateway: string;
  kind: string;
  seed: number;
  /** What it is, for people. */
  what: string;
  fixRateHz: number;
  /** Of its receiver. */
  speaks: 'nmea' | 'ubx';
  /** Of its frames in the gateway's buffer, so short that a tunnel costs some. */
  maxAge?: string;
}

export const demoVehicles: readonly DemoVehicle[] = [
  { gateway: 'taxi-1', kind: 'electric-car', seed: 3, what: 'an electric car', fixRateHz: 5, speaks: 'nmea' },
  {
    gateway: 'courier-2',
    kind: 'combustion-car',
    seed: 8,
    what: 'a petrol car',
    fixRateHz: 1,
    speaks: 'nmea',
  },
  {
    gateway: 'truck-17',
    kind: 'truck',
    seed: 17,
    what: 'a J1939 truck whose buffer keeps frames for 5 s only',
    fixRateHz: 1,
    speaks: 'nmea',
    maxAge: '5s',
  },
  {
    gateway: 'van-8',
    kind: 'generic',
    seed: 8,
    what: 'a van with a u-blox receiver, without a database, which never enters the tunnel',
    fixRateHz: 10,
    speaks: 'ubx',
  },
];

/** A gateway for each of these, fed live; `urls` in their order. */
export async function planVehicles(dataFolder: string, urls: readonly string[]): Promise<PlannedGateway[]> {
  return Promise.all(
    demoVehicles.map(async ({ gateway: id, kind, seed, what, fixRateHz, speaks, maxAge }, i) => {
      const stream = [process.execPath, simBin, 'stream', '--seed', String(seed), '--kind', kind];
      if (kind !== 'generic') stream.push('--driving', TOWN_DRIVING);
      const tunnel = ['--tunnel', `${TUNNEL.fromM}m-${TUNNEL.toM}m`, '--lap', `${LAP_M}m`];
      const streams = {
        can0: {
          source: 'command',
          format: 'candump',
          origin: 'simulated',
          ...(maxAge !== undefined && { maxAge }),
          command: [...stream, '--format', 'candump'],
        },
        gps0: {
          source: 'command',
          format: speaks === 'ubx' ? 'ubx' : 'lines',
          origin: 'simulated',
          command: [
            ...stream,
            ...(kind === 'generic' ? [] : tunnel),
            '--format',
            speaks,
            '--fix-rate',
            String(fixRateHz),
          ],
        },
      };
      const configPath = await writeConfig(join(dataFolder, 'gateways', id), id, urls[i], streams);
      return { id, configPath, carries: 'can0, gps0', what };
    }),
  );
}

/** One gateway for each recording, fed at the pace at which it was recorded, as if it were now. */
export async function planRecordings(
  paths: readonly string[],
  dataFolder: string,
  mqttUrl: string,
): Promise<PlannedGateway[]> {
  const planned: PlannedGateway[] = [];
  for (const path of paths.map((given) => resolve(given))) {
    const isCandump = await looksLikeCandump(path);
    const id = freeId(path, planned);
    const stream = isCandump ? 'can0' : 'lines0';
    const format = isCandump ? 'candump' : 'lines';
    // Another file of the same name is another drive: it gets a buffer, and so an epoch, of its own.
    const folder = join(dataFolder, 'gateways', `${id}-${digest(path)}`);
    const streams = { [stream]: { source: 'file', path, format, pace: 'original', times: 'now' } };
    const configPath = await writeConfig(folder, id, mqttUrl, streams);
    planned.push({ id, configPath, carries: stream, what: basename(path) });
  }
  return planned;
}

async function writeConfig(folder: string, id: string, url: string, streams: object): Promise<string> {
  await mkdir(folder, { recursive: true });
  const configPath = join(folder, 'gateway.yaml');
  const config = { gateway: id, data: folder, logLevel: 'warn', uplink: { url }, streams };
  await writeFile(configPath, `${JSON.stringify(config, null, 2)}\n`); // JSON is YAML
  return configPath;
}

const HEAD_BYTES = 16 * 1024;
const candumpLine = /^\(\d+(\.\d+)?\) +\S+ +[0-9A-Fa-f]{3,8}#/m;

/** By content: does a line near the beginning look like `candump -L` wrote it? */
async function looksLikeCandump(path: string): Promise<boolean> {
  const head = Buffer.alloc(HEAD_BYTES);
  try {
    const file = await open(path);
    try {
      const { bytesRead } = await file.read(head, 0, HEAD_BYTES, 0);
      return candumpLine.test(head.toString('latin1', 0, bytesRead));
    } finally {
      await file.close();
    }
  } catch (cause) {
    const code = systemCode(cause);
    const why = code === 'ENOENT' ? "doesn't exist" : `can't be read (${code})`;
    throw new FleetlogError('FLEETLOG_USAGE', `The recording ${path} ${why}.`, { cause });
  }
}

/** A gateway id made of the file's name. */
function freeId(path: string, taken: readonly PlannedGateway[]): string {
  const name = basename(path)
    .replace(/\.[^.]*$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 56);
  let id = name || 'recording';
  for (let number = 2; taken.some((other) => other.id === id); number++)
    id = `${name || 'recording'}-${number}`;
  return id;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);

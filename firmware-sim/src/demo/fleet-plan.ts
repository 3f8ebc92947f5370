import { createHash } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';

/** A gateway of the demo, with its configuration written. */
export interface PlannedGateway {
  id: string;
  configPath: string;
  /** What it carries, for people. */
  carries: string;
}

const simBin = fileURLToPath(new URL('../cli/bin.js', import.meta.url));

/** Invented vehicles: CAN at this many times 2,100 frames/s, GPS fixes per second. */
const vehicles = [
  { id: 'truck-17', seed: 17, rate: 1, fixRateHz: 1 },
  { id: 'bus-4', seed: 4, rate: 0.6, fixRateHz: 5 },
  { id: 'van-8', seed: 8, rate: 1.6, fixRateHz: 10 },
];

/** Three gateways, each fed by a vehicle that isn't there, live. */
export async function planVehicles(dataFolder: string, mqttUrl: string): Promise<PlannedGateway[]> {
  const planned: PlannedGateway[] = [];
  for (const { id, seed, rate, fixRateHz } of vehicles) {
    const stream = [process.execPath, simBin, 'stream', '--seed', String(seed)];
    const streams = {
      can0: {
        source: 'command',
        format: 'candump',
        origin: 'simulated',
        command: [...stream, '--format', 'candump', '--rate', String(rate)],
      },
      gps0: {
        source: 'command',
        format: 'lines',
        origin: 'simulated',
        command: [...stream, '--format', 'nmea', '--fix-rate', String(fixRateHz)],
      },
    };
    const configPath = await writeConfig(join(dataFolder, 'gateways', id), id, mqttUrl, streams);
    planned.push({ id, configPath, carries: 'can0, gps0' });
  }
  return planned;
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
    planned.push({ id, configPath, carries: `${stream} ← ${basename(path)}` });
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

import { link, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import { checkGatewayConfig } from '../config.js';
import type { HeardLink } from './can.js';
import type { HeardPort } from './serial.js';

/** What a starter configuration is made of. */
export interface FoundParts {
  links: readonly HeardLink[];
  ports: readonly HeardPort[];
  hasGpsd: boolean;
}

const controllers = ['can', 'vcan', 'vxcan', 'slcan'];

/** The text of a configuration that starts as it is. */
export function starterConfig({ links, ports, hasGpsd }: FoundParts): string {
  const streams: [line: string, why: string][] = [];
  for (const { name, kind, heardFrames } of links) {
    const id = streamName(name);
    const why = `${kind ?? 'CAN'}, ${heardFrames > 0 ? `${heardFrames} frames heard` : 'nothing heard'}`;
    const isCommon = kind !== undefined && controllers.includes(kind);
    streams.push([
      `${id}: { source: socketcan, interface: ${JSON.stringify(name)} }`,
      isCommon ? why : 'CAN',
    ]);
  }
  let receivers = 0;
  for (const { path, adapter, heard } of ports) {
    if (heard?.what !== 'nmea' && heard?.what !== 'ubx') continue;
    const format = heard.what === 'nmea' ? 'lines' : 'ubx';
    const id = `gps${receivers++}`;
    streams.push([
      `${id}: { source: serial, path: ${JSON.stringify(path)}, baud: ${heard.baud}, format: ${format}, clock: true }`,
      adapter ?? 'GPS receiver',
    ]);
  }
  if (hasGpsd && receivers === 0) streams.push(['gps0: { source: gpsd, clock: true }', 'gpsd']);
  const lines = streams.map(([line, why]) => `  ${line} # ${why.replaceAll('\n', ' ')}`);
  return [
    '# Written by fleetlog-gateway doctor from what it found. All keys are in the README.',
    `gateway: ${gatewayName()}`,
    'data: ./fleetlog-data # folder of the buffer',
    'uplink:',
    '  url: mqtt://127.0.0.1:1883 # the cloud',
    lines.length > 0 ? 'streams:' : 'streams: {} # nothing was found that speaks',
    ...lines,
    '',
  ].join('\n');
}

/** Writes it where nothing is yet, or in its place. Errors: FLEETLOG_USAGE where there is something. */
export async function writeStarter(
  path: string,
  text: string,
  parse: (path: string) => unknown,
  force: boolean,
): Promise<void> {
  const part = `${path}.${process.pid}.part`;
  await writeFile(part, text);
  try {
    checkGatewayConfig(parse(part), path);
    if (force) await rm(path, { force: true });
    await link(part, path); // never over another file, whoever makes it meanwhile
  } catch (cause) {
    if (systemCode(cause) !== 'EEXIST') throw cause;
    throw isThere(path);
  } finally {
    await rm(part, { force: true });
  }
}

export const isThere = (path: string): FleetlogError =>
  new FleetlogError('FLEETLOG_USAGE', `${path} is there already; take another name, or add --force.`);

const streamName = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, '-')
    .replace(/^[-_]+/, '') || 'can';

const gatewayName = (): string =>
  hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 63) || 'gateway';

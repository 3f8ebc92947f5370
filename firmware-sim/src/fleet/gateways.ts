import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StreamEntry } from '../ledger/ledger.js';
import { recordStream, speechOf } from '../ledger/record.js';
import type { PlannedVehicle } from '../scenario/load.js';
import { streamsOf } from '../vehicle/kinds.js';
import type { Equipment } from './mischief.js';

/** A gateway whose recordings and configuration are written. */
export interface PreparedGateway {
  gateway: string;
  folder: string;
  configPath: string;
  entries: StreamEntry[];
  /** As in the gateway's configuration. */
  streams: object;
}

export interface DriveOptions {
  startUs: number;
  durationUs: number;
  /** As a gateway's configuration has it. */
  pace: 'clock' | 'max' | number;
}

/** Lets a vehicle drive: writes what it says for its gateway to read, and the ledger's entries. */
export async function prepareGateway(
  vehicle: PlannedVehicle,
  { startUs, durationUs, pace }: DriveOptions,
  folder: string,
): Promise<PreparedGateway> {
  await mkdir(folder, { recursive: true });
  const entries: StreamEntry[] = [];
  for (const speaker of streamsOf(vehicle.kind)) {
    const path = recordingPath(folder, speaker);
    entries.push(await recordStream(vehicle, speaker, speechOf(vehicle, startUs, durationUs), path));
  }
  const streams = Object.fromEntries(
    streamsOf(vehicle.kind).map((speaker) => [
      speaker.stream,
      {
        source: 'file',
        path: recordingPath(folder, speaker),
        format: speaker.format,
        pace,
        times: 'original',
        origin: 'simulated',
      },
    ]),
  );
  return { gateway: vehicle.gateway, folder, configPath: join(folder, 'gateway.yaml'), entries, streams };
}

/** Writes the gateway's configuration, with the cloud that it shall reach and where its buffer lies. */
export async function writeGatewayConfig(
  { gateway, configPath, streams }: PreparedGateway,
  { mqttUrl: url, dataFolder: data }: Pick<Equipment, 'mqttUrl' | 'dataFolder'>,
  password: string | undefined,
): Promise<void> {
  const uplink = { url, ...(password !== undefined && { password }) };
  const config = { gateway, data, logLevel: 'warn', uplink, streams };
  await writeFile(configPath, `${JSON.stringify(config, null, 2)}\n`); // JSON is YAML
}

const recordingPath = (folder: string, { stream, format }: { stream: string; format: string }): string =>
  join(folder, `${stream}.${format === 'candump' ? 'candump' : 'nmea'}`);

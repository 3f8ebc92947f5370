import { FleetlogError } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import { TcpInput } from '../tcp-input.js';

/** Reports as JSON, sentences as NMEA, and pulse-per-second where there is one (gpsd_json(5)). */
const WATCH = '?WATCH={"enable":true,"json":true,"nmea":true,"pps":true};\n';

export interface GpsdAddress {
  host: string;
  port: number;
}

/** Reads `HOST:PORT` or `[IPV6]:PORT`; `key` names the place in the configuration. Errors: FLEETLOG_CONFIG. */
export function gpsdAddress(text: string, key: string): GpsdAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65_535) {
    throw new FleetlogError('FLEETLOG_CONFIG', `"${key}" is "${text}"; it must be like 127.0.0.1:2947.`);
  }
  return { host: match[1] ?? match[2], port };
}

/** Connects and asks for everything that gpsd hears. Errors: FLEETLOG_SOURCE. */
export async function openGpsd(address: GpsdAddress, clock: Clock, signal: AbortSignal): Promise<TcpInput> {
  const help = 'start gpsd (sudo systemctl start gpsd), or correct "host"';
  const input = await TcpInput.open({ ...address, help }, clock, signal);
  await input.write(Buffer.from(WATCH));
  return input;
}

import type { Clock } from '@fleetlog/shared/util';
import { hostPort, type HostPort } from '../../host-port.js';
import { TcpInput } from '../tcp-input.js';

/** Reports as JSON, sentences as NMEA, and pulse-per-second where there is one (gpsd_json(5)). */
const WATCH = '?WATCH={"enable":true,"json":true,"nmea":true,"pps":true};\n';

/** Reads `HOST:PORT` or `[IPV6]:PORT`; `key` names the place in the configuration. Errors: FLEETLOG_CONFIG. */
export const gpsdAddress = (text: string, key: string): HostPort => hostPort(text, key, '127.0.0.1:2947');

/** Connects and asks for everything that gpsd hears. Errors: FLEETLOG_SOURCE. */
export async function openGpsd(address: HostPort, clock: Clock, signal: AbortSignal): Promise<TcpInput> {
  const help = 'start gpsd (sudo systemctl start gpsd), or correct "host"';
  const input = await TcpInput.open({ ...address, help }, clock, signal);
  await input.write(Buffer.from(WATCH));
  return input;
}

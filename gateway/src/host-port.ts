import { FleetlogError } from '@fleetlog/shared/errors';

export interface HostPort {
  host: string;
  port: number;
}

/** Reads `HOST:PORT` or `[IPV6]:PORT`; `key` names the place in the configuration. Errors: FLEETLOG_CONFIG. */
export function hostPort(text: string, key: string, example: string, portMin = 1): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port < portMin || port > 65_535) {
    throw new FleetlogError('FLEETLOG_CONFIG', `"${key}" is "${text}"; it must be like ${example}.`);
  }
  return { host: match[1] ?? match[2], port };
}

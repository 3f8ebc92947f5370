import type { Server } from 'node:net';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';

export interface ListenAddress {
  host: string;
  port: number;
}

/** Reads `HOST:PORT` or `[IPV6]:PORT`; undefined where it isn't one. */
export function parseAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%a-z]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) return undefined;
  return { host: match[1] ?? match[2], port };
}

export const formatAddress = ({ host, port }: ListenAddress): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** Names that only this machine can reach. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

/** Errors: FLEETLOG_PORT_TAKEN, FLEETLOG_CONFIG; both name the flag that chooses another address. */
export async function listen(server: Server, host: string, port: number, flag: string): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // A fleet that comes back at once waits in the queue rather than being turned away.
      server.listen({ host, port, backlog: 4096 }, resolve);
    });
  } catch (error) {
    throw listenError(error, { host, port }, flag);
  }
}

/** Why nothing can listen there, in a sentence that names the flag that chooses another address. */
export function listenError(cause: unknown, address: ListenAddress, flag: string): FleetlogError {
  const code = systemCode(cause);
  if (code === 'EADDRINUSE') {
    return new FleetlogError(
      'FLEETLOG_PORT_TAKEN',
      `Port ${address.port} of ${address.host} is in use by another program; stop that one or choose another with ${flag}.`,
      { cause },
    );
  }
  return new FleetlogError(
    'FLEETLOG_CONFIG',
    `Nothing can listen on ${formatAddress(address)} (${code ?? 'unknown error'}); choose another address with ${flag}.`,
    { cause },
  );
}

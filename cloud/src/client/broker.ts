import { connectAsync, type MqttClient } from 'mqtt';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import { fillLengthCache } from '@fleetlog/shared/mqtt';

/**
 * A client of the broker at mqtt://HOST:PORT/PREFIX, which connects again by itself, and the prefix of its topics.
 * Errors: FLEETLOG_CONFIG where it isn't such a URL, FLEETLOG_UNREACHABLE.
 */
export async function connectBroker(
  address: string,
  prefixDefault: string,
): Promise<{ client: MqttClient; prefix: string }> {
  const url = URL.parse(address);
  if (!url || !['mqtt:', 'mqtts:', 'ws:', 'wss:'].includes(url.protocol)) {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `"${address}" isn't the URL of a broker; write mqtt://HOST:PORT/PREFIX.`,
    );
  }
  const prefix = decodeURIComponent(url.pathname.slice(1)) || prefixDefault;
  url.pathname = '';
  fillLengthCache();
  const client = await connectAsync(url.href, { connectTimeout: 10_000 }, false).catch((cause: unknown) => {
    const why = systemCode(cause) ?? String(cause);
    throw new FleetlogError(
      'FLEETLOG_UNREACHABLE',
      `No broker answers at ${url.host} (${why}); start it, or name another one.`,
      { cause },
    );
  });
  client.on('error', () => undefined); // it connects again; what is published waits
  return { client, prefix };
}

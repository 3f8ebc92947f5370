import type { Logger } from '@fleetlog/shared/log';
import type { GatewayConfig } from './config.js';
import type { MetricsParts } from './control/metrics-server.js';
import type { Connect } from './uplink/link.js';

/*
 * What takes long to load, and isn't needed to capture: capture begins without it.
 */

/** mqtt.js takes 0.1 s: it is loaded at the first connection, behind what the sources do at once. */
export const connectMqtt: Connect = async (options, signal) => {
  await new Promise((resolve) => setImmediate(resolve));
  const link = await import('./uplink/mqtt-link.js');
  return link.connectMqtt(options, signal);
};

/** Node's HTTP server brings its client along, 70 ms: it is loaded where metrics are served. */
export async function serveMetrics(
  { metrics }: GatewayConfig,
  parts: MetricsParts,
  logger: Logger,
): Promise<AsyncDisposable | undefined> {
  if (!metrics) return undefined;
  const server = await import('./control/metrics-server.js');
  return server.serveMetrics(metrics, parts, logger);
}

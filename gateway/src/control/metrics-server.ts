import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from '@fleetlog/shared/log';
import type { HostPort } from '../host-port.js';
import { METRICS_TYPE, metricsText } from './metrics.js';
import type { GatewayReport, IdsReport } from './status.js';

const connectionsMax = 8;
const requestMsMax = 5000;
const headerBytesMax = 4096;

export interface MetricsParts {
  status: () => GatewayReport;
  ids: () => IdsReport;
}

/**
 * Serves `GET /metrics` in Prometheus's text format, with `?ids=1` the identifiers of the buses too, until disposed. A
 * gateway that can't listen still works: that is logged.
 */
export async function serveMetrics(
  { host, port }: HostPort,
  parts: MetricsParts,
  logger: Logger,
): Promise<AsyncDisposable> {
  const server = createServer({ maxHeaderSize: headerBytesMax }, (request, response) =>
    answer(request, response, parts),
  );
  server.maxConnections = connectionsMax;
  server.requestTimeout = requestMsMax;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  } catch (error) {
    logger.warn(
      { error: String(error) },
      `Metrics can't be served at ${host}:${port}; choose another place in "metrics".`,
    );
    return { [Symbol.asyncDispose]: async () => undefined };
  }
  const { port: taken } = server.address() as AddressInfo;
  logger.info(
    { port: taken },
    `Metrics are at http://${host.includes(':') ? `[${host}]` : host}:${taken}/metrics.`,
  );
  return {
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer({ method, url = '/' }: IncomingMessage, response: ServerResponse, parts: MetricsParts): void {
  const { pathname, searchParams } = new URL(url, 'http://gateway');
  if (pathname !== '/metrics' || (method !== 'GET' && method !== 'HEAD')) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('There is only GET /metrics.\n');
    return;
  }
  const ids = searchParams.has('ids') ? parts.ids() : undefined;
  response.writeHead(200, { 'content-type': METRICS_TYPE }).end(metricsText(parts.status(), ids));
}

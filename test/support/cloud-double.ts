import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A batch of a double's log: consecutive lines of a stream. */
export type DoubleBatch = readonly string[];

interface DoubleStream {
  gateway: string;
  stream: string;
  batches: readonly DoubleBatch[];
  origin?: string;
  gaps?: readonly object[];
}

/** What answers like a cloud's API, and holds whatever a test wants it to hold. */
export class CloudDouble implements AsyncDisposable {
  private constructor(private readonly server: Server) {}

  static async serve(streams: readonly DoubleStream[]): Promise<CloudDouble> {
    const server = createServer((request, response) => {
      response.setHeader('connection', 'close'); // the next double may get the same port
      const url = new URL(request.url ?? '', 'http://double');
      const found = streams.find(
        ({ gateway, stream }) =>
          gateway === url.searchParams.get('gateway') && stream === url.searchParams.get('stream'),
      );
      if (url.pathname === '/v1/streams') {
        const rows = streams.map(({ gateway, stream, batches, origin = 'simulated' }) => ({
          gateway,
          stream,
          origin,
          records: batches.reduce((sum, batch) => sum + batch.length, 0),
        }));
        response.end(JSON.stringify({ streams: rows }));
      } else if (url.pathname === '/v1/gaps') {
        response.end(JSON.stringify({ gaps: found?.gaps ?? [] }));
      } else {
        response.end(found?.batches.flat().join(''));
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new CloudDouble(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

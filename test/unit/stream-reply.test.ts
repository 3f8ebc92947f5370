import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import Fastify from 'fastify';
import { silentLogger } from '@fleetlog/shared/log';
import { sendStream } from '#cloud/api/stream-reply.js';

describe('an answer in chunks', () => {
  it('ends at once where the client went while it was prepared', async () => {
    await using server = Fastify();
    let chunksGiven = 0;
    const asked = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (;;) {
        chunksGiven++;
        yield new Uint8Array(1024 * 1024);
      }
    }
    server.get('/', async (_request, reply) => {
      asked.resolve();
      await once(reply.raw, 'close');
      const clientGone = new AbortController();
      const options = { chunks: chunks(), contentType: 'text/plain', headFirst: false, idleMs: 1e9 };
      await sendStream(reply, { ...options, logger: silentLogger, clientGone });
      ended.resolve();
    });
    await server.listen({ host: '127.0.0.1', port: 0 });
    const client = connect((server.server.address() as AddressInfo).port, '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await asked.promise;
    client.destroy();
    await ended.promise;
    assert.ok(chunksGiven <= 1, `${chunksGiven} chunks for nobody`);
  });
});

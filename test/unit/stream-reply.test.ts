import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { silentLogger } from '@fleetlog/shared/log';
import { sendStream } from '#cloud/api/stream-reply.js';

/** As much of the framework's answer as it needs. */
const replyOn = (raw: ServerResponse): Parameters<typeof sendStream>[0] =>
  ({ raw, hijack: () => {}, getHeaders: () => ({}) }) as unknown as Parameters<typeof sendStream>[0];

describe('an answer in chunks', () => {
  it('ends at once where the client went while it was prepared', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    try {
      await once(server, 'listening');
      const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
      client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
      client.destroy();
      await once(response, 'close');
      let given = 0;
      const chunks = (async function* () {
        for (;;) yield await Promise.resolve(new Uint8Array(1024 * 1024 + given++));
      })();
      await sendStream(replyOn(response), {
        chunks,
        contentType: 'text/plain',
        headFirst: false,
        idleMs: 1e9,
        logger: silentLogger,
        clientGone: new AbortController(),
      });
      assert.ok(given <= 1, `${given} chunks for nobody`);
    } finally {
      server.close();
    }
  });
});

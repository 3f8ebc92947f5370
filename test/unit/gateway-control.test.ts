import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { silentLogger } from '@fleetlog/shared/log';
import { askGateway } from '#gateway/control/client.js';
import { controlSocketPath } from '#gateway/control/protocol.js';
import { serveControl } from '#gateway/control/server.js';
import { tempFolder } from '../support/temp-folder.js';

const handlers = {
  status: () => ({ running: true }),
  ids: () => ({}),
  buffer: () => {
    throw new Error('The buffer is closed.');
  },
};

describe('the control socket', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await tempFolder('control');
    path = controlSocketPath(folder.path);
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  it('answers another process', async () => {
    await using _ = await serveControl(path, handlers, silentLogger);
    assert.deepEqual(await askGateway(path, 'status'), { running: true });
  });

  it('says so where no gateway runs', async () => {
    assert.equal(await askGateway(path, 'status'), undefined);
    {
      await using _ = await serveControl(path, handlers, silentLogger);
    }
    assert.equal(await askGateway(path, 'status'), undefined);
  });

  it("takes the place of a dead gateway's socket", async () => {
    await writeFile(path, '');
    await using _ = await serveControl(path, handlers, silentLogger);
    assert.deepEqual(await askGateway(path, 'status'), { running: true });
  });

  it('hands over the sentence of what failed', async () => {
    await using _ = await serveControl(path, handlers, silentLogger);
    await assert.rejects(askGateway(path, 'buffer'), /The buffer is closed/);
    await assert.rejects(askGateway(path, 'format c:' as never), /doesn't know the request "format c:"/);
  });

  it('is told from a gateway that breaks off', async () => {
    const server = createServer((socket) => socket.destroy()).listen(path);
    await once(server, 'listening');
    try {
      await assert.rejects(askGateway(path, 'status'), /doesn't answer/);
    } finally {
      server.close();
    }
  });

  it('hangs up on those who talk too much, and ends though somebody is connected', async () => {
    const server = await serveControl(path, handlers, silentLogger);
    const talker = connect(path);
    const silent = connect(path);
    talker.on('error', () => undefined);
    await once(silent, 'connect');
    talker.write('x'.repeat(10_000));
    await once(talker, 'close');
    await Promise.all([server[Symbol.asyncDispose](), once(silent, 'close')]);
  });

  it('lies elsewhere where the path of the folder is too long for a socket', async () => {
    const long = controlSocketPath(`/${'x'.repeat(120)}`);
    assert.ok(long.length < 108, long);
    assert.notEqual(long, controlSocketPath(`/${'x'.repeat(121)}`));
    assert.equal(long, controlSocketPath(`/${'x'.repeat(120)}/`));
  });
});

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { systemClock } from '@fleetlog/shared/util';
import { GpsReceiver } from '#sim/vehicle/gps.js';
import { CollectingSink } from '../support/collecting-sink.js';
import { captureLog } from '../support/log-capture.js';
import { hasSocat, SerialLine, whyNoSocat } from '../support/serial-line.js';
import { sourceOf } from '../support/source-options.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const hasGpsd = spawnSync('gpsd', ['-V']).status === 0;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function start(host: string, more: object = {}) {
  const sink = new CollectingSink();
  const abort = new AbortController();
  const source = sourceOf(
    { source: 'gpsd', host, batch: { linger: '50ms' }, ...more },
    { clock: systemClock, logger: captureLog() },
  );
  const ended = source.run(sink, undefined, abort.signal);
  ended.catch(() => undefined);
  return { sink, source, ended, stop: () => abort.abort() };
}

describe('gpsd', () => {
  it('gives its reports and the sentences of the receiver behind it', async function () {
    if (!hasGpsd || !hasSocat) {
      console.log(`      skipped: ${hasGpsd ? whyNoSocat : 'gpsd is not installed (apt-get install gpsd)'}`);
      return this.skip();
    }
    await using folder = await tempFolder('gpsd');
    await using line = new SerialLine(folder.path);
    await line.plug();
    const port = await freePort();
    const gpsd = spawn('gpsd', ['-N', '-n', '-b', '-S', String(port), line.port], { stdio: 'ignore' });
    const gps = new GpsReceiver({ seed: 1, startUs: 1_780_000_000_000_000 });
    const speaking = setInterval(() => void line.write(Buffer.from(gps.next(Infinity))), 100);
    let running = start(`127.0.0.1:${port}`);
    try {
      await until(
        'a report of a position',
        async () => {
          // gpsd may not listen yet
          if (
            await Promise.race([
              running.ended.then(
                () => true,
                () => true,
              ),
              systemClock.sleep(50),
            ])
          ) {
            running = start(`127.0.0.1:${port}`);
          }
          return /"class":"TPV".*"lat":-48\./.test(running.sink.text());
        },
        30_000,
      );
      const text = running.sink.text();
      assert.match(text, /^\{"class":"VERSION"/);
      assert.match(text, /\r?\n\$GPRMC,/);
      assert.equal(running.source.kind, 'lines');
    } finally {
      clearInterval(speaking);
      running.stop();
      await running.ended.catch(() => undefined);
      const exited = once(gpsd, 'exit');
      gpsd.kill('SIGKILL');
      await exited;
    }
  });

  it('that is not there, goes away or falls silent is an error that says what to do', async () => {
    await assert.rejects(
      start(`127.0.0.1:${await freePort()}`).ended,
      (error) => isFleetlogError(error, 'FLEETLOG_SOURCE') && /start gpsd/.test(error.message),
    );
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.write('{"class":"VERSION"}\n');
      socket.on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      const lost = start(`127.0.0.1:${port}`);
      await until('it is connected', () => sockets.length === 1);
      sockets[0].end('{"class":"TPV"}\n');
      await assert.rejects(lost.ended, /closed the connection/);
      assert.equal(lost.sink.text(), '{"class":"VERSION"}\n{"class":"TPV"}\n', 'what came before is kept');
      await assert.rejects(start(`127.0.0.1:${port}`, { silence: '1s' }).ended, /Nothing came from gpsd/);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });
});

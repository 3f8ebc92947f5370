import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { systemClock } from '@fleetlog/shared/util';
import { at } from '#cloud/signals/gps/position.js';
import { GpsReceiver } from '#sim/vehicle/gps.js';
import { GpsFixes, type GpsFix } from '#sim/vehicle/gps-fixes.js';
import { UbloxReceiver } from '#sim/vehicle/ublox.js';
import { CollectingSink } from '../support/collecting-sink.js';
import { captureLog } from '../support/log-capture.js';
import { decodePositions } from '../support/positions.js';
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
  /** Runs gpsd before a receiver until `isDone`. */
  async function behindGpsd(
    next: () => string | Uint8Array,
    isDone: (sink: CollectingSink) => boolean,
  ): Promise<CollectingSink> {
    await using folder = await tempFolder('gpsd');
    await using line = new SerialLine(folder.path);
    await line.plug();
    const port = await freePort();
    const gpsd = spawn('gpsd', ['-N', '-n', '-b', '-S', String(port), line.port], { stdio: 'ignore' });
    const speaking = setInterval(() => void line.write(Buffer.from(next() as string)), 100);
    let running = start(`127.0.0.1:${port}`);
    try {
      await until(
        'reports of positions',
        async () => {
          // gpsd may not listen yet
          const ended = running.ended.then(
            () => true,
            () => true,
          );
          if (await Promise.race([ended, systemClock.sleep(50)])) running = start(`127.0.0.1:${port}`);
          return isDone(running.sink);
        },
        30_000,
      );
      assert.equal(running.source.kind, 'lines');
      return running.sink;
    } finally {
      clearInterval(speaking);
      running.stop();
      await running.ended.catch(() => undefined);
      const exited = once(gpsd, 'exit');
      gpsd.kill('SIGKILL');
      await exited;
    }
  }

  const drive = { seed: 1, startUs: 1_780_000_000_000_000 };
  /** Positions of the drive by their times, to compare. */
  function driven(seconds: number): Map<number, GpsFix['place']> {
    const fixes = new GpsFixes(drive);
    return new Map(
      Array.from({ length: seconds }, () => fixes.next(Infinity)!).map((fix) => [
        fix.timeUs / 1e6,
        fix.place,
      ]),
    );
  }

  for (const [receiver, speaker, expected] of [
    ['NMEA', () => new GpsReceiver(drive), /\r?\n\$GPRMC,/],
    ['UBX', () => new UbloxReceiver(drive), /"class":"TPV"/],
  ] as const) {
    it(`gives the positions of a receiver behind it that speaks ${receiver}, and what else it says`, async function () {
      if (!hasGpsd || !hasSocat) {
        console.log(
          `      skipped: ${hasGpsd ? whyNoSocat : 'gpsd is not installed (apt-get install gpsd)'}`,
        );
        return this.skip();
      }
      const said = speaker();
      let seconds = 0;
      const sink = await behindGpsd(
        () => {
          seconds++;
          return said.next(Infinity);
        },
        (one) => decodePositions(one).fixes.filter((fix) => !Number.isNaN(fix[at.latitude])).length >= 5,
      );
      assert.match(sink.text(), /^\{"class":"VERSION"/);
      assert.match(sink.text(), expected);
      const truth = driven(seconds);
      let compared = 0;
      for (const fix of decodePositions(sink).fixes) {
        const place = truth.get(fix[at.time]);
        if (!place || Number.isNaN(fix[at.latitude])) continue;
        compared++;
        assert.ok(Math.abs(fix[at.latitude] - place.latitude) < 2e-7);
        assert.ok(Math.abs(fix[at.longitude] - place.longitude) < 2e-7);
        if (!Number.isNaN(fix[at.speed])) assert.ok(Math.abs(fix[at.speed] - place.speedMps) < 0.01);
      }
      assert.ok(compared >= 3, `${compared} fixes of the drive`);
    });
  }

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

import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServer, type AddressInfo } from 'node:net';
import { Signal, systemClock } from '@fleetlog/shared/util';
import { Broker, type MessageSink } from '#cloud/broker/broker.js';
import { checkGatewayConfig, type GatewayConfig } from '#gateway/config.js';
import { checkCloud } from '#gateway/doctor/cloud.js';
import { checkGpsd } from '#gateway/doctor/gps.js';
import type { Finding } from '#gateway/doctor/finding.js';
import { GpsReceiver } from '#sim/vehicle/gps.js';
import { Authority } from '../support/certificates.js';
import { CloudProcess } from '../support/cloud-process.js';
import { captureLog } from '../support/log-capture.js';
import { ended, start, type Ended } from '../support/run-command.js';
import { hasSocat, SerialLine, whyNoSocat } from '../support/serial-line.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const bin = 'gateway/dist/cli/bin.js';
const hasGpsd = spawnSync('gpsd', ['-V']).status === 0;

const doctor = (...flags: string[]): Promise<Ended> => ended(start(bin, ['doctor', ...flags]));
const told = (findings: Finding[]): string =>
  findings.map(({ verdict, area, says, mend = '' }) => `${verdict} ${area} ${says} ${mend}\n`).join('');

/** A receiver at the other end of a line: a group of sentences every 100 ms. */
function speak(line: SerialLine): () => void {
  const gps = new GpsReceiver({ seed: 1, startUs: 1_780_000_000_000_000 });
  const speaking = setInterval(() => void line.write(Buffer.from(gps.next(Infinity))), 100);
  return () => clearInterval(speaking);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('fleetlog-gateway doctor', function () {
  this.timeout(120_000);

  it('finds a receiver on a serial port, a cloud and a disk; writes a configuration that runs', async function () {
    if (!hasSocat) {
      console.log(`      skipped: ${whyNoSocat}`);
      return this.skip();
    }
    await using folder = await tempFolder('doctor');
    await using line = new SerialLine(folder.path);
    await line.plug();
    await using cloud = await CloudProcess.serve(join(folder.path, 'cloud'));
    const url = `mqtt://${/mqtt=(\S+)/.exec(cloud.stdout)![1]}`;
    const streams = { gps0: { source: 'serial', path: line.port, baud: 9600, format: 'lines', clock: true } };
    const config = join(folder.path, 'truck.yaml');
    const write = (more: object): Promise<void> =>
      writeFile(
        config,
        JSON.stringify({ gateway: 'truck-17', data: './data', uplink: { url }, streams, ...more }),
      );
    await write({});
    const silence = speak(line);
    const starter = join(folder.path, 'starter.yaml');
    try {
      const fine = await doctor('--config', config, '--json', '--write-config', starter);
      const { healthy, findings } = JSON.parse(fine.stdout.toString()) as {
        healthy: boolean;
        findings: Finding[];
      };
      const text = told(findings);
      assert.equal(fine.status, 0, text + fine.stderr);
      assert.equal(healthy, true);
      assert.match(text, /^fine serial NMEA sentences come from .*ttyTEST .* at 9600 baud: \$G/m);
      assert.match(text, /^fine cloud The cloud takes the gateway "truck-17" in/m);
      assert.match(text, /^fine disk .* a sync takes /m);
      assert.match(
        await readFile(starter, 'utf8'),
        /gps0: \{ source: serial, path: ".*ttyTEST", baud: 9600, format: lines/,
      );
      const again = await doctor('--write-config', starter, '--no-listen');
      assert.equal(again.status, 2);
      assert.match(again.stderr, /is there already; take another name, or add --force/);

      // The configuration starts as it is.
      const gateway = start(bin, ['--config', starter]);
      let log = '';
      gateway.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
      await until('it reads the port', () => /Reading .*ttyTEST at 9600/.test(log), 30_000);
      // A port in use is left alone: rightly so, where it is this configuration's gateway that uses it.
      const own = await doctor('--config', starter);
      assert.match(
        own.stdout.toString(),
        /^ok +serial +.*ttyTEST .*is in use by node .*bin\.js.* \(process \d+\), and left alone/m,
      );
      const others = await doctor('--config', config);
      assert.match(
        others.stdout.toString(),
        new RegExp(
          `^BAD +serial +.*\\(process ${gateway.pid}\\); the stream "gps0" can't read it\\.\\n +→ sudo kill ${gateway.pid}$`,
          'm',
        ),
      );
      assert.equal(others.status, 3, others.stdout.toString());
      gateway.kill('SIGTERM');
      await ended(gateway);
    } finally {
      silence();
    }

    await line.unplug();
    const nobody = await freePort();
    await write({
      uplink: { url: `mqtt://127.0.0.1:${nobody}` },
      streams: { ...streams, can0: { source: 'socketcan', interface: 'can77' } },
    });
    const sick = await doctor('--config', config);
    assert.equal(sick.status, 3, sick.stderr);
    const page = sick.stdout.toString();
    assert.match(
      page,
      /^BAD +serial +The port .*ttyTEST of the stream "gps0" isn't there\.\n +→ ls -l \/dev\/serial\/by-id/m,
    );
    assert.match(page, /^BAD +can +There is no CAN interface can77/m);
    assert.match(page, /^BAD +cloud +127\.0\.0\.1:\d+ takes no connection \(ECONNREFUSED\)/m);
    assert.match(page, /^3 things are wrong\.$/m);
  });

  it('asks a real gpsd for its receiver and its fix', async function () {
    if (!hasGpsd || !hasSocat) {
      console.log(`      skipped: ${hasGpsd ? whyNoSocat : 'gpsd is not installed (apt-get install gpsd)'}`);
      return this.skip();
    }
    await using folder = await tempFolder('doctor-gpsd');
    await using line = new SerialLine(folder.path);
    await line.plug();
    const address = { host: '127.0.0.1', port: await freePort() };
    const ask = async (): Promise<string> =>
      told((await checkGpsd(address, true, systemClock, new AbortController().signal)).findings);
    assert.match(await ask(), /^wrong gps Nobody answers .*sudo systemctl start gpsd/m);
    const gpsd: ChildProcess = spawn('gpsd', ['-N', '-n', '-b', '-S', String(address.port), line.port], {
      stdio: 'ignore',
    });
    const silence = speak(line);
    try {
      const text = await until(
        'a fix',
        async () => {
          const said = await ask();
          return said.includes('has a fix') ? said : undefined;
        },
        60_000,
      );
      assert.match(
        text,
        /^fine gps gpsd [\d.]+\S* at 127\.0\.0\.1:\d+ has a fix in [23] dimensions from .*ttyTEST/m,
      );
    } finally {
      silence();
      const exited = once(gpsd, 'exit');
      gpsd.kill('SIGKILL');
      await exited;
    }
  });

  describe('on the way to the cloud', () => {
    let folder: Awaited<ReturnType<typeof tempFolder>>;
    let authority: Authority;

    before(async function () {
      const why = Authority.whyNot();
      if (why !== undefined) {
        console.log(`      skipped: ${why}`);
        return this.skip();
      }
      folder = await tempFolder('doctor-tls');
      authority = new Authority(join(folder.path, 'ca'));
    });
    after(async () => folder?.[Symbol.asyncDispose]());

    /** What the doctor says of a cloud with this certificate, which it reaches by that host. */
    async function saysOf(
      certificate: { names: string; days?: number },
      { host = '127.0.0.1', ca = authority.ca as string | null, password = 'secret' } = {},
    ): Promise<string> {
      const sink: MessageSink = {
        takes: true,
        readable: new Signal(),
        batch: () => undefined,
        status: () => true,
        refuse: () => undefined,
      };
      const logger = captureLog();
      const broker = await Broker.start(
        {
          host: '127.0.0.1',
          port: 0,
          users: { 'truck-17': { password: 'secret' } },
          connectionsMax: 10,
          packetBytesMax: 1e6,
          keepAliveSecondsMax: 600,
          connectTimeoutMs: 5000,
          tls: { host: '127.0.0.1', port: 0, ...authority.issue('cloud', certificate), clientCa: undefined },
        },
        sink,
        logger,
      );
      try {
        const port = logger.entries.map(({ facts }) => facts['port']).find((at) => at !== undefined);
        return told(await checkCloud(configOf(`mqtts://${host}:${port as number}`, ca, password)));
      } finally {
        await broker[Symbol.asyncDispose]();
      }
    }
    const configOf = (url: string, ca: string | null, password: string): GatewayConfig =>
      checkGatewayConfig(
        {
          gateway: 'truck-17',
          data: './data',
          uplink: { url, password, ...(ca !== null && { tls: { ca } }) },
          streams: {},
        },
        join(folder.path, 'truck.yaml'),
      );

    it('each step has its own sentence', async () => {
      const text = await saysOf({ names: 'DNS:localhost' }, { host: 'localhost' });
      assert.match(text, /^fine cloud localhost is .*127\.0\.0\.1/m);
      assert.match(text, /^fine cloud localhost:\d+ takes connections/m);
      assert.match(
        text,
        /^fine cloud TLS comes about \(TLSv1\.3\); the cloud's certificate is right until .*20\d\d/m,
      );
      assert.match(text, /^fine cloud The cloud takes the gateway "truck-17" in/m);
    });

    it('a certificate or a password that is wrong is told, with what to do', async () => {
      const names = 'IP:127.0.0.1';
      assert.match(
        await saysOf({ names, days: -1 }),
        /^wrong cloud The certificate .* has expired; renew it/m,
      );
      assert.match(await saysOf({ names: 'DNS:elsewhere.example' }), /^wrong cloud .* is for another name/m);
      assert.match(await saysOf({ names }, { ca: null }), /^wrong cloud .* authority that isn't known here/m);
      assert.match(
        await saysOf({ names }, { password: 'wrong' }),
        /^fine cloud TLS comes about[^]*^wrong cloud .* refuses the gateway "truck-17".*"uplink\.password"/m,
      );
      const unknown = told(
        await checkCloud(configOf('mqtts://nowhere.invalid:8883', authority.ca, 'secret')),
      );
      assert.match(unknown, /^wrong cloud The name nowhere\.invalid can't be resolved .*getent hosts/m);
    });
  });
});

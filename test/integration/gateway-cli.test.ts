import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { decodeBatch, decodeEvents } from '@fleetlog/shared/batch';
import type { StreamReport } from '#gateway/buffer/inspect.js';
import type { GatewayReport } from '#gateway/control/status.js';
import { FakeCloud } from '../support/fake-cloud.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const bin = resolve(import.meta.dirname, '../../../gateway/dist/cli/bin.js');

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** A command under test; killed at the latest when it is disposed of. */
class RunningCommand implements AsyncDisposable {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcess;

  constructor(args: string[], environment: Record<string, string> = {}) {
    this.child = spawn(process.execPath, [bin, ...args], { env: { ...process.env, ...environment } });
    this.child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = once(this.child, 'close').then(([status]) => {
      return { status: status as number | null, stdout: this.stdout, stderr: this.stderr };
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill('SIGKILL');
    await this.ended;
  }
}

async function command(...args: string[]): Promise<Ended> {
  await using running = new RunningCommand(args);
  return await running.ended;
}

describe('fleetlog-gateway', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let cloud: FakeCloud;

  beforeEach(async () => {
    folder = await tempFolder('gateway');
    cloud = await FakeCloud.start();
  });
  afterEach(async () => {
    await cloud[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const write = async (name: string, text: string): Promise<string> => {
    const path = join(folder.path, name);
    await writeFile(path, text);
    return path;
  };

  /** A configuration with one stream of so many candump lines, and whatever else is given. */
  const setUp = async (changes: object = {}, frames = 5000): Promise<string> => {
    let text = '';
    for (let i = 0; i < frames; i++) {
      text += `(${(1_700_000_000 + i / 1000).toFixed(6)}) can0 1A${i % 8}#${i.toString(16).padStart(8, '0').toUpperCase()}\n`;
    }
    await write('drive.candump', text);
    return write(
      'truck.yaml',
      JSON.stringify({
        gateway: 'truck-17',
        data: './data',
        uplink: { url: cloud.url },
        streams: { can0: { source: 'file', path: 'drive.candump', format: 'candump', pace: 'max' } },
        ...changes,
      }),
    );
  };

  it('with --until-drained ends with 0 as soon as the cloud has acknowledged the whole file', async () => {
    const config = await setUp();
    const { status, stderr } = await command('--config', config, '--until-drained', '--log-level', 'warn');
    assert.equal(status, 0, stderr);
    const records = cloud.arrivals.reduce((sum, { header }) => sum + header.recordCount, 0);
    assert.equal(records, 5000);
    assert.match(
      stderr,
      /^fleetlog-gateway: 5,000 records in \d+ batches, [\d,]+ bytes \(.* bytes a record\), .* s$/m,
    );
    assert.equal(cloud.statuses.at(-1)?.connected, false);
    const events = cloud.eventArrivals.flatMap(({ bytes }) => decodeEvents(decodeBatch(bytes)));
    assert.deepEqual(
      events.map(({ type }) => type),
      ['gateway.started', 'clock.start', 'gateway.stopped'],
    );
  });

  it('started again, has nothing left to do and sends nothing twice', async () => {
    const config = await setUp();
    await command('--config', config, '--until-drained', '--quiet');
    const before = cloud.arrivals.length;
    const { status, stderr } = await command(
      '--config',
      config,
      '--until-drained',
      '--quiet',
      '--log-level',
      'warn',
    );
    assert.equal(status, 0);
    assert.equal(stderr, '');
    assert.equal(cloud.arrivals.length, before);
  });

  it('waits for acknowledgements, tells of its state meanwhile, and ends cleanly at a signal', async () => {
    const config = await setUp();
    cloud.holdAcks = true;
    await using running = new RunningCommand(['--config', config, '--until-drained', '--log-level', 'warn']);
    await until(
      'arrival of all',
      () => cloud.arrivals.reduce((n, { header }) => n + header.recordCount, 0) === 5000,
    );

    const report = JSON.parse(
      (await command('status', '--config', config, '--json')).stdout,
    ) as GatewayReport;
    assert.equal(report.gateway, 'truck-17');
    assert.equal(report.running, true);
    assert.equal(report.uplink?.connected, true);
    assert.equal(report.streams[0].source?.records, 5000);
    const table = await command('status', '--config', config);
    assert.match(
      table.stdout,
      /truck-17, running.*\n.*connected.*\nmonth .* kB sent.*\nclock .*\nbuffer .* of 4,295 MB.*\n.*\ncan0 +can +/,
    );

    const inspected = await command('buffer', 'inspect', '--config', config, '--json', '--stream', 'can0');
    const [stream] = JSON.parse(inspected.stdout) as StreamReport[];
    assert.equal(stream.batches, cloud.arrivals.length);
    assert.equal(stream.records, 5000);
    assert.equal(stream.firstTimeUs, 1_700_000_000e6);
    assert.equal(stream.lastTimeUs, 1_700_000_004_999_000);

    const second = await command('--config', config);
    assert.equal(second.status, 1);
    assert.match(second.stderr, /^fleetlog-gateway: The buffer folder .* is in use by another process;.*\n$/);

    running.kill('SIGTERM');
    const { status } = await running.ended;
    assert.equal(status, 0);
    const offline = JSON.parse(
      (await command('status', '--config', config, '--json')).stdout,
    ) as GatewayReport;
    assert.equal(offline.running, false);
    assert.equal(offline.streams[0].records, 5000);
    const again = await command('buffer', 'inspect', '--config', config);
    assert.match(again.stdout, /^can0 +can +0 +\d+ +\d+ +5,000 +.*2023-11-14T22:13:20\.000Z/m);
  });

  it('goes on where it was when it is killed and started again', async () => {
    const config = await setUp({}, 200_000);
    cloud.holdAcks = true;
    {
      await using running = new RunningCommand(['--config', config, '--log-level', 'error']);
      await until('first arrivals', () => cloud.arrivals.length > 3);
      running.kill('SIGKILL');
      await running.ended;
    }
    cloud.releaseAcks();
    const { status } = await command(
      '--config',
      config,
      '--until-drained',
      '--quiet',
      '--log-level',
      'error',
    );
    assert.equal(status, 0);
    const bySequence = new Map(cloud.arrivals.map(({ header }) => [header.sequence, header]));
    const records = [...bySequence.values()].reduce((sum, header) => sum + header.recordCount, 0);
    assert.equal(records, 200_000);
    assert.equal(bySequence.size, Math.max(...bySequence.keys()) + 1);
  });

  it('ends with 1 and a sentence where the cloud refused something', async () => {
    const config = await setUp();
    cloud.refuse = ({ sequence }) =>
      sequence === 0 ? { code: 'FLEETLOG_BATCH_CODEC', reason: 'unknown' } : undefined;
    const { status, stderr } = await command('--config', config, '--until-drained', '--log-level', 'silent');
    assert.equal(status, 1);
    assert.match(stderr, /The cloud refused 1 batch, kept aside in /);
  });

  it('says how many lines made no sense, and ends with 0', async () => {
    const config = await setUp();
    await write(
      'drive.candump',
      '(1700000000.000000) can0 1A0#00\nnonsense\n(1700000000.100000) can0 1A0#01\n',
    );
    const { status, stderr } = await command('--config', config, '--until-drained', '--log-level', 'silent');
    assert.equal(status, 0);
    assert.match(stderr, /2 records in 1 batch, .* 1 malformed line left out/);
  });

  it('ends at once where a source can never work, and keeps what the others gave', async () => {
    const config = await setUp({
      streams: {
        can0: { source: 'file', path: 'drive.candump', format: 'candump', pace: 'max' },
        can1: { source: 'file', path: 'nowhere.candump', format: 'candump', pace: 'max' },
      },
    });
    const { status, stderr } = await command('--config', config, '--until-drained', '--log-level', 'silent');
    assert.equal(status, 2);
    assert.match(stderr, /^fleetlog-gateway: .*nowhere\.candump.*\n$/);
  });

  it('refuses --until-drained where a source never ends', async () => {
    const config = await setUp({ streams: { can0: { source: 'command', command: 'yes', format: 'lines' } } });
    const { status, stderr } = await command('--config', config, '--until-drained');
    assert.equal(status, 2);
    assert.match(stderr, /the stream "can0" never does/);
  });

  const mistakes: [string, string[], number, RegExp][] = [
    ['no configuration', [], 2, /--config FILE\.yaml/],
    ['a missing configuration', ['--config', '/nowhere/x.yaml'], 2, /\/nowhere\/x\.yaml doesn't exist/],
    ['an unknown option', ['--cofig', 'x'], 2, /unknown option '--cofig'/],
    ['an unknown command', ['stauts'], 2, /too many arguments|unknown command/],
    ['an unknown log level', ['--config', 'CONFIG', '--log-level', 'loud'], 2, /no log level "loud"/],
    ['the status of nothing', ['status', '--config', 'CONFIG'], 2, /There is no buffer in .* yet/],
    ['inspecting nothing', ['buffer', 'inspect', '--config', 'CONFIG'], 2, /There is no buffer in .* yet/],
    ['a status without configuration', ['status'], 2, /--config FILE\.yaml/],
  ];
  for (const [what, args, expected, sentence] of mistakes) {
    it(`answers ${what} with a sentence and status ${expected}`, async () => {
      const config = await setUp();
      const { status, stdout, stderr } = await command(
        ...args.map((arg) => (arg === 'CONFIG' ? config : arg)),
      );
      assert.equal(status, expected, stderr);
      assert.match(stderr, sentence);
      assert.doesNotMatch(stderr, /\n\s+at /);
      assert.equal(stdout, '');
    });
  }

  it('ends quietly where nobody reads its output any more', async () => {
    const child = spawn(process.execPath, [bin, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [status] = (await once(child, 'exit')) as [number | null];
    assert.deepEqual([status, stderr], [0, '']);
  });

  it('has help with examples, and a version', async () => {
    const help = await command('--help');
    assert.equal(help.status, 0);
    assert.match(help.stdout, /Examples:\n {2}\$ fleetlog-gateway --config/);
    assert.match((await command('status', '--help')).stdout, /Examples:/);
    assert.match((await command('--version')).stdout, /^\d+\.\d+\.\d+\n$/);
  });
});

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { encodeMessage, topics } from '@fleetlog/shared/topics';
import { RangeSet } from '@fleetlog/shared/util';
import type { GroupDetails } from '#cloud/api/group-schemas.js';
import type { Gaps, Status } from '#cloud/api/schemas.js';
import { CloudProcess } from '../support/cloud-process.js';
import { MqttSocket } from '../support/mqtt-socket.js';
import { lineBatch } from '../support/recorded.js';
import { ended, start, type Ended } from '../support/run-command.js';
import { noSmallDisk, SmallDisk } from '../support/small-disk.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const patienceMs = 120_000;
const gateway = 'truck-17';
const epoch = '0011223344556677';
const window = 20;

const cloudBin = 'cloud/dist/cli/cloud-bin.js';
const run = (parameters: string[], url?: string): Promise<Ended> =>
  ended(start(cloudBin, parameters, url === undefined ? {} : { FLEETLOG_URL: url }));
const fleetlog = (cloud: CloudProcess, ...parameters: string[]): Promise<Ended> =>
  ended(start('cloud/dist/cli/fleetlog-bin.js', parameters, { FLEETLOG_URL: cloud.httpUrl }));

async function json<T>(cloud: CloudProcess, path: string): Promise<T> {
  return (await (await fetch(`${cloud.httpUrl}${path}`)).json()) as T;
}

/** So many small batches in the log of a cloud that doesn't run, behind `before` that it has. */
async function fill(data: string, batches: number, before = 0): Promise<void> {
  const child = fileURLToPath(new URL('../support/fill-log.js', import.meta.url));
  await promisify(execFile)(process.execPath, [child, data, String(batches), String(before)]);
}

/** A gateway that has one stream and forgets what was acknowledged. */
class Sender implements AsyncDisposable {
  sent = 0;
  isStopped = false;
  private running: Promise<void> = Promise.resolve();

  private constructor(private readonly client: MqttSocket) {}

  static async open(cloud: CloudProcess): Promise<Sender> {
    const client = await MqttSocket.open(cloud.mqttPort);
    assert.equal(await client.login(gateway), 0);
    await client.subscribe(topics.ack(gateway));
    return new Sender(client);
  }

  get acknowledged(): number {
    const held = new RangeSet();
    for (const [first, last] of RangeSet.fromFlat(
      this.client.acks(gateway).at(-1)?.streams.gps0?.held ?? [],
    )) {
      held.add(first, last);
    }
    return held.size;
  }

  send(sequence: number): void {
    const timeUs = 1_700_000_000_000_000 + sequence * 1e6;
    const text = `${sequence} ${'x'.repeat(500)}\n`;
    const bytes = lineBatch([{ timeUs, text }], { gateway, epoch, sequence });
    this.client.publish(topics.up(gateway, 'gps0'), bytes);
  }

  /** Sends on and on, until it is stopped. */
  go(): void {
    this.running = (async () => {
      while (!this.isStopped) {
        if (this.sent - this.acknowledged < window) this.send(this.sent++);
        else await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.running;
    await until('all is acknowledged', () => this.acknowledged === this.sent, patienceMs);
  }

  /** Says that it has nothing in its buffer, and gives `next` next. */
  announce(next: number): void {
    const streams = { gps0: { kind: 'lines', first: next, next, bytes: 0, discarded: 0 } };
    const status = { connected: true, epoch, version: '0.1.0', timeUs: 1_700_000_000_000_000, streams };
    this.client.publish(topics.status(gateway), encodeMessage(status), { retain: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isStopped = true;
    await this.running;
    await this.client[Symbol.asyncDispose]();
  }
}

describe('backup and restore', function () {
  this.timeout(4 * patienceMs);

  it('of a cloud that ingests: all that was acknowledged before is in it, groups go on, and what came later is told', async () => {
    await using folder = await tempFolder('backup');
    const backup = join(folder.path, 'backup');
    let acknowledgedBefore: number;
    let sent: number;
    let committed: number;
    {
      await using cloud = await CloudProcess.serve(join(folder.path, 'cloud'));
      await using sender = await Sender.open(cloud);
      sender.go();
      await until('there is something to consume', () => sender.acknowledged > 50, patienceMs);
      const consumed = await fleetlog(
        cloud,
        'consume',
        '--group',
        'g',
        '--from',
        'earliest',
        '--commit',
        'on-exit',
        '--until-end',
      );
      assert.equal(consumed.status, 0, consumed.stderr);
      committed = consumed.stdout.toString().trimEnd().split('\n').length;
      acknowledgedBefore = sender.acknowledged;
      const first = await run(['backup', backup], cloud.httpUrl);
      assert.equal(first.status, 0, first.stderr);
      const after = sender.acknowledged;
      await until('it went on', () => sender.acknowledged > after + 50, patienceMs);
      await sender.stop();
      sent = sender.sent;
    }
    const data = join(folder.path, 'restored');
    const restored = await run(['restore', backup, '--data', data]);
    assert.equal(restored.status, 0, restored.stderr);
    await using cloud = await CloudProcess.serve(data);
    const verified = await fleetlog(cloud, 'verify');
    assert.equal(verified.status, 0, verified.stdout.toString());
    const held = (await json<Gaps>(cloud, '/v1/gaps')).heldBatches;
    assert.ok(held >= acknowledgedBefore, `${held} of ${acknowledgedBefore} are there`);
    assert.ok(held < sent - 50);
    assert.equal((await json<Status>(cloud, '/v1/status')).log.batches, held);

    const what = ['export', '--gateway', gateway, '--stream', 'gps0', '--format', 'lines'];
    const exported = await fleetlog(cloud, ...what);
    const lines = exported.stdout.toString().trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => Number(line.split(' ')[0])),
      Array.from({ length: held }, (_, sequence) => sequence),
    );

    assert.equal((await json<GroupDetails>(cloud, '/v1/groups/g')).lagBatches, held - committed);
    await using sender = await Sender.open(cloud);
    sender.announce(sent);
    const gaps = await until('the gap is seen', async () => {
      const report = await json<Gaps>(cloud, '/v1/gaps');
      return report.batches.missing > 0 ? report : undefined;
    });
    const [{ first, last, state, cause, detail }] = gaps.gaps;
    assert.deepEqual([first, last, state, cause], [held, sent - 1, 'missing', 'restore']);
    assert.match(detail ?? '', /restored from its backup of /);
    assert.equal((await fleetlog(cloud, 'gaps')).status, 3);

    sender.send(sent);
    await until('it is acknowledged', () => sender.acknowledged === held + 1, patienceMs);
    const rest = await fleetlog(cloud, 'consume', '--group', 'g', '--commit', 'on-exit', '--until-end');
    const offsets = rest.stdout
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { offset: number }).offset);
    assert.equal(offsets.length, held - committed + 1);
    assert.ok(offsets[offsets.length - 1] > 2 ** 30, 'no offset is given to two batches');
    assert.match(rest.stderr, /from before the log was restored/);
    assert.equal((await json<GroupDetails>(cloud, '/v1/groups/g')).lagBatches, 0);
  });

  it('killed in the middle, client or cloud: the backup before is whole, and the next one goes on', async () => {
    await using folder = await tempFolder('backup');
    const data = join(folder.path, 'cloud');
    const backup = join(folder.path, 'backup');
    const journal = join(backup, 'copied.ndjson');
    await fill(data, 20_000);
    {
      await using cloud = await CloudProcess.serve(data);
      assert.equal((await run(['backup', backup], cloud.httpUrl)).status, 0);
      const again = await run(['backup', backup, '--json'], cloud.httpUrl);
      const { bytes, copiedBytes } = JSON.parse(again.stdout.toString()) as Record<string, number>;
      assert.ok(copiedBytes < bytes / 100, `${copiedBytes} of ${bytes} bytes were copied again`);
    }
    const described = await readFile(join(backup, 'backup.json'));
    await fill(data, 60_000, 20_000);
    {
      const cloud = await CloudProcess.serve(data);
      const client = start(cloudBin, ['backup', backup], { FLEETLOG_URL: cloud.httpUrl });
      const clientEnded = ended(client);
      await until('it copies', () => existsSync(journal), patienceMs);
      client.kill('SIGSTOP');
      await cloud.kill('SIGKILL');
      client.kill('SIGCONT');
      const { status, stderr } = await clientEnded;
      assert.equal(status, 1, stderr);
      assert.match(stderr, /^fleetlog-cloud: .*(cloud|came with)/);
    }
    assert.deepEqual(await readFile(join(backup, 'backup.json')), described);
    assert.equal((await run(['verify-backup', backup])).status, 0);
    await using cloud = await CloudProcess.serve(data);
    assert.ok(!existsSync(join(data, 'backup')), 'what the killed one held is gone');
    const killed = start(cloudBin, ['backup', backup], { FLEETLOG_URL: cloud.httpUrl });
    await until('it copies', () => existsSync(join(data, 'backup', 'log')), patienceMs);
    const killedEnded = ended(killed);
    killed.kill('SIGKILL');
    await killedEnded;
    assert.equal((await run(['verify-backup', backup])).status, 0);
    const last = await until('the cloud has seen that nobody is there', async () => {
      const result = await run(['backup', backup], cloud.httpUrl);
      return /limit; try again/.test(result.stderr) ? undefined : result;
    });
    assert.equal(last.status, 0, last.stderr);
    const restored = join(folder.path, 'restored');
    assert.equal((await run(['restore', backup, '--data', restored])).status, 0);
    await using again = await CloudProcess.serve(restored);
    assert.equal((await json<Status>(again, '/v1/status')).log.batches, 80_000);
  });

  it('damage is found, named and never restored; nothing else is written over', async () => {
    await using folder = await tempFolder('backup');
    const data = join(folder.path, 'cloud');
    const backup = join(folder.path, 'backup');
    await fill(data, 5000);
    {
      await using cloud = await CloudProcess.serve(data);
      assert.equal((await run(['backup', backup], cloud.httpUrl)).status, 0);
      const other = await run(['backup', data], cloud.httpUrl);
      assert.equal(other.status, 2);
      assert.match(other.stderr, /isn't a backup/);
    }
    const names = await readdir(join(backup, 'files'));
    const sizes = await Promise.all(
      names.map(async (name) => (await stat(join(backup, 'files', name))).size),
    );
    const largest = join(backup, 'files', names[sizes.indexOf(Math.max(...sizes))]);
    const content = await readFile(largest);
    content[Math.floor(content.length / 2)] ^= 1;
    await writeFile(largest, content);
    const flipped = await run(['verify-backup', backup]);
    assert.equal(flipped.status, 3);
    assert.ok(flipped.stdout.toString().includes(largest));
    const restored = join(folder.path, 'restored');
    const refused = await run(['restore', backup, '--data', restored]);
    assert.equal(refused.status, 1);
    assert.ok(refused.stderr.includes(largest), refused.stderr);
    assert.equal(await CloudProcess.start(['--data', restored]).end(), 2, 'half a log is no log');
    assert.equal((await run(['restore', backup, '--data', data])).status, 2);
    await truncate(join(backup, 'backup.json'), 100);
    assert.equal((await run(['verify-backup', backup])).status, 1);
  });

  it('a full disk under the backup: told, the cloud goes on, and with room it is taken', async function () {
    const reason = noSmallDisk();
    if (reason !== undefined) {
      console.log(`      skipped: ${reason}`);
      return this.skip();
    }
    await using disk = await SmallDisk.mount(32 * 1024 * 1024);
    await using folder = await tempFolder('backup');
    await fill(folder.path, 20_000);
    await using cloud = await CloudProcess.serve(folder.path);
    const backup = join(disk.path, 'backup');
    await disk.fill(1024 * 1024);
    const full = await run(['backup', backup], cloud.httpUrl);
    assert.equal(full.status, 1);
    assert.match(full.stderr, /No space left/);
    assert.equal((await fleetlog(cloud, 'status')).status, 0);
    await disk.clear();
    const taken = await run(['backup', backup], cloud.httpUrl);
    assert.equal(taken.status, 0, taken.stderr);
    assert.equal((await run(['verify-backup', backup])).status, 0);
  });
});

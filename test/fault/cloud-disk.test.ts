import assert from 'node:assert/strict';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { candumpText } from '#sim/vehicle/can-bus.js';
import type { Status } from '#cloud/api/schemas.js';
import { Cloud } from '../support/chaos/cloud.js';
import { Gateway } from '../support/chaos/gateway.js';
import type { Recording } from '../support/chaos/recordings.js';
import { noSmallDisk, SmallDisk } from '../support/small-disk.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const MiB = 1024 * 1024;
const patienceMs = 120_000;

function recording(seed: number, seconds: number): Recording {
  const bytes = Buffer.concat([
    ...candumpText({ seed, startUs: 1_700_000_000_000_000, durationUs: seconds * 1e6 }),
  ]);
  return { name: `drive ${seed}`, format: 'candump', bytes, seconds };
}

/** Bytes of the log's files. */
async function logBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(join(folder, 'log'))) {
    const { size, blocks } = await stat(join(folder, 'log', name)).catch(() => ({ size: 0, blocks: 0 }));
    bytes += Math.min(size, blocks * 512);
  }
  return bytes;
}

const statusOf = async (cloud: Cloud): Promise<Status> =>
  (await (await fetch(`http://127.0.0.1:${cloud.httpPort}/v1/status`)).json()) as Status;

describe("the cloud's disk", function () {
  this.timeout(4 * patienceMs);

  it('nearly full: nothing is acknowledged, reading goes on; with room again ingest goes on, without a restart', async function () {
    const reason = noSmallDisk();
    if (reason !== undefined) {
      console.log(`      skipped: ${reason}`);
      return this.skip();
    }
    await using disk = await SmallDisk.mount(160 * MiB);
    await using folder = await tempFolder('full');
    const config = join(folder.path, 'cloud.yaml');
    await writeFile(config, 'disk: { minFree: 64MiB }\nlog: { writeBuffer: 4MiB }\n');
    const cloud = new Cloud(join(disk.path, 'cloud'), { args: ['--config', config] });
    await cloud.start();
    const url = `mqtt://127.0.0.1:${cloud.mqttPort}`;
    try {
      const first = await Gateway.prepare('first', join(folder.path, 'first'), [recording(1, 20)], { url });
      first.command.start();
      await until('the first one is drained', () => first.command.exitStatus === 0, patienceMs);
      await disk.fill(32 * MiB);
      await until('the floor is seen', async () => (await statusOf(cloud)).disk.ingestPaused, patienceMs);
      const before = await statusOf(cloud);
      const second = await Gateway.prepare('second', join(folder.path, 'second'), [recording(2, 20)], {
        url,
      });
      second.command.start();
      await until(
        'it is connected, and has announced what it has',
        async () => {
          const { stdout } = await cloud.fleetlog('gateways', '--json');
          return stdout.toString().includes('"second"');
        },
        patienceMs,
      );
      const during = await statusOf(cloud);
      assert.equal(during.ingest.batches, before.ingest.batches, 'nothing was taken');
      assert.ok(during.disk.ingestPaused);
      assert.match((await cloud.fleetlog('status')).stdout.toString(), /nothing is acknowledged/);
      const [expected] = first.expectations;
      assert.deepEqual(
        await cloud.exportStream(expected),
        Buffer.from(recording(1, 20).bytes),
        'reading goes on',
      );
      assert.ok(second.command.running);
      await disk.clear();
      await until('the second one is drained', () => second.command.exitStatus === 0, patienceMs);
      assert.deepEqual(
        await cloud.exportStream(second.expectations[0]),
        Buffer.from(recording(2, 20).bytes),
        'all is there, once',
      );
      const verified = await cloud.fleetlog('verify');
      assert.equal(verified.status, 0, verified.stdout.toString());
    } finally {
      await cloud.command.kill();
    }
  });

  it('is given back what retention trims, while what is kept and what is held stays', async () => {
    await using folder = await tempFolder('trim');
    const config = join(folder.path, 'cloud.yaml');
    const data = join(folder.path, 'cloud');
    const cloud = new Cloud(data, { args: ['--config', config] });
    const write = (more: string): Promise<void> =>
      writeFile(config, `log: { partitions: 2, writeBuffer: 256KiB }\ndisk: { minFree: 1MiB }\n${more}`);
    await write('');
    await cloud.start();
    try {
      const gateways = await Promise.all(
        ['old', 'kept', 'held'].map((id, i) =>
          Gateway.prepare(id, join(folder.path, id), [recording(10 + i, 200)], {
            url: `mqtt://127.0.0.1:${cloud.mqttPort}`,
          }),
        ),
      );
      for (const { command } of gateways) command.start();
      for (const { id, command } of gateways) {
        await until(`${id} is drained`, () => command.exitStatus === 0, patienceMs);
      }
      const hold = ['--gateway', 'held', '--from', '1970-01-01', '--to', '+1d', '--reason', 'accident'];
      assert.equal((await cloud.fleetlog('holds', 'add', ...hold)).status, 0);
      const before = await logBytes(data);
      const streams = (await cloud.fleetlog('streams', '--json')).stdout.toString();
      await cloud.command.kill();
      await write('retention: { every: 200ms, rules: [{ gateway: kept }, { maxAge: 1ms }] }\n');
      await cloud.start();
      await until(
        'it is trimmed',
        async () => !(await cloud.fleetlog('streams', '--json')).stdout.toString().includes('"old"'),
        patienceMs,
      );
      for (const { expectations } of gateways.slice(1)) {
        assert.ok((await cloud.exportStream(expectations[0])).length > 0);
      }
      console.log(`      ${before} → ${await logBytes(data)} bytes`);
      const gone = /"gateway":"old".*?"bytes":(\d+)/.exec(streams);
      const oldBytes = Number(gone?.[1]);
      await until(
        'the disk is given back',
        async () => (await logBytes(data)) < before - 0.6 * oldBytes,
        patienceMs,
      );
      const gaps = await cloud.fleetlog('gaps', '--gateway', 'old');
      assert.equal(gaps.status, 0);
      assert.match(gaps.stdout.toString(), /trimmed by retention, 0 missing/);
      const verified = await cloud.fleetlog('verify');
      assert.equal(verified.status, 0, verified.stdout.toString());
    } finally {
      await cloud.command.kill();
    }
  });
});

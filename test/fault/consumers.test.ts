import assert from 'node:assert/strict';
import { execFile, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { GroupDetails } from '#cloud/api/group-schemas.js';
import { CloudProcess } from '../support/cloud-process.js';
import { start } from '../support/run-command.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const batches = 6000;

/** A consumer as people run it; what it prints is read only when the test says so, so that it comes to a halt. */
class Consumer {
  readonly seen = new Set<string>();
  private readonly child: ChildProcessWithoutNullStreams;
  private stderr = '';

  constructor(cloud: CloudProcess) {
    const parameters = ['consume', '--group', 'fleet', '--from', 'earliest', '--commit', 'each'];
    this.child = start('cloud/dist/cli/fleetlog-bin.js', parameters, { FLEETLOG_URL: cloud.httpUrl });
    this.child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
  }

  read(): void {
    createInterface(this.child.stdout).on('line', (line) => {
      if (!line.endsWith('}')) return; // cut by its death
      const { partition, offset } = JSON.parse(line) as { partition: number; offset: number };
      this.seen.add(`${partition}:${offset}`);
    });
  }

  async kill(): Promise<void> {
    const closed = once(this.child, 'close');
    this.child.kill('SIGKILL');
    this.read();
    await closed;
  }
}

async function group(cloud: CloudProcess): Promise<GroupDetails | undefined> {
  const response = await fetch(`${cloud.httpUrl}/v1/groups/fleet`);
  return response.ok ? ((await response.json()) as GroupDetails) : undefined;
}

describe('consumers that die', () => {
  it('the others take over, every batch is seen, and checkpoints outlive a killed cloud', async () => {
    await using folder = await tempFolder('consumers');
    const fill = fileURLToPath(new URL('../support/fill-log.js', import.meta.url));
    await promisify(execFile)(process.execPath, [fill, folder.path, String(batches)]);
    const consumers: Consumer[] = [];
    let checkpoints: number[];
    {
      await using cloud = await CloudProcess.serve(folder.path);
      for (let i = 0; i < 3; i++) consumers.push(new Consumer(cloud));
      await until(
        'each of the three has partitions and something is committed',
        async () => {
          const partitions = (await group(cloud))?.partitions ?? [];
          const members = new Set(partitions.map(({ member }) => member));
          return members.size === 3 && !members.has(undefined) && partitions.some(({ next }) => next > 0);
        },
        60_000,
      );
      const [dead, deadToo, alive] = consumers;
      await dead.kill();
      await deadToo.kill();
      alive.read();
      await until('the log is read', async () => (await group(cloud))?.lagBatches === 0, 60_000);
      const { partitions, members } = (await group(cloud)) as GroupDetails;
      assert.equal(members, 1);
      checkpoints = partitions.map(({ next }) => next);
      assert.equal(
        checkpoints.reduce((sum, next) => sum + next),
        batches,
      );
      await cloud.kill('SIGKILL');
      await alive.kill();
    }
    const seen = new Set(consumers.flatMap((consumer) => [...consumer.seen]));
    assert.equal(seen.size, batches, 'every batch was printed by one of them');
    await using cloud = await CloudProcess.serve(folder.path);
    assert.deepEqual(
      (await group(cloud))?.partitions.map(({ next }) => next),
      checkpoints,
    );
  });
});

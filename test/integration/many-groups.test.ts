import assert from 'node:assert/strict';
import { append, canBatch } from '../support/recorded.js';
import { ended, start } from '../support/run-command.js';
import { serveCloud } from '../support/serving-cloud.js';
import { until } from '../support/until.js';

const groups = 100;
const batches = 50;

describe('a hundred groups at once', () => {
  it('each get every batch, commit, and are in the metrics with their lag', async function () {
    this.timeout(240_000);
    await using cloud = await serveCloud();
    const reader = start('test/dist/support/many-groups.js', [cloud.api.url, String(groups)]);
    let said = '';
    reader.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const end = ended(reader);
    await until('all groups have joined', () => said.includes('joined'), 60_000);
    for (let sequence = 0; sequence < batches; sequence++) {
      const timeUs = 1_500_000_000_000_000 + sequence * 1e6;
      await append(cloud.log, [canBatch([timeUs], { gateway: `truck-${sequence % 7}`, sequence })]);
    }
    const isDone = (): boolean =>
      cloud.groups.states().every(({ partitions }) => partitions.every(({ next, end: to }) => next === to));
    await until('all have committed all', isDone, 120_000);
    const lags = async (): Promise<number[]> => {
      const metrics = await (await fetch(`${cloud.api.url}/metrics`)).text();
      return [...metrics.matchAll(/^fleetlog_group_lag_batches\{.*\} (\d+)$/gm)].map(([, lag]) =>
        Number(lag),
      );
    };
    const all = await lags();
    assert.equal(all.length, groups * cloud.log.partitionCount);
    assert.ok(all.every((lag) => lag === 0));
    reader.kill('SIGTERM');
    const { status, stderr } = await end;
    assert.equal(status, 0, stderr);
    const read = JSON.parse(said.trimEnd().split('\n').at(-1) ?? '') as number[];
    assert.deepEqual(new Set(read), new Set([batches]));
    await append(cloud.log, [canBatch([1_600_000_000_000_000], { gateway: 'late', sequence: 0 })]);
    assert.equal(
      (await lags()).reduce((sum, lag) => sum + lag),
      groups,
      'each is one behind',
    );
  });
});

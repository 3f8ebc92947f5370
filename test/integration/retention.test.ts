import assert from 'node:assert/strict';
import { silentLogger } from '@fleetlog/shared/log';
import { RangeSet, systemClock } from '@fleetlog/shared/util';
import type { HoldList, HoldRow } from '#cloud/api/hold-schemas.js';
import type { Gaps, Streams } from '#cloud/api/schemas.js';
import type { Storage } from '#cloud/api/storage-schemas.js';
import { Ingest } from '#cloud/ingest/ingest.js';
import { checkRetention } from '#cloud/retention/rules.js';
import { AckRecorder } from '../support/ack-recorder.js';
import { all } from '../support/collect.js';
import { append, canBatch } from '../support/recorded.js';
import { serveCloud, type ServingCloud } from '../support/serving-cloud.js';
import { until } from '../support/until.js';

const gateway = 'truck-17';
const epoch = '0011223344556677';
const baseUs = Date.UTC(2026, 10, 5, 10) * 1000;
const minuteUs = 60_000_000;
const { rules } = checkRetention({ every: '1min', rules: [{ maxAge: '1h' }] }, assert.fail);

async function json<T>({ api }: ServingCloud, path: string, method = 'GET'): Promise<T> {
  const response = await fetch(`${api.url}${path}`, { method });
  const body = await response.text();
  assert.equal(response.status, 200, body);
  return JSON.parse(body) as T;
}

/** Ten batches, a minute of event time apart, the first six of which were received two hours ago. */
async function filled(): Promise<ServingCloud> {
  const cloud = await serveCloud({ rules });
  const batches = Array.from({ length: 10 }, (_, sequence) =>
    canBatch([baseUs + sequence * minuteUs], { gateway, epoch, sequence }, sequence),
  );
  const longAgoUs = systemClock.nowUs() - 120 * minuteUs;
  await append(cloud.log, batches.slice(0, 6), { receiveTimeUs: longAgoUs });
  await append(cloud.log, batches.slice(6), { receiveTimeUs: systemClock.nowUs() });
  await cloud.index.caughtUp(AbortSignal.timeout(10_000));
  return cloud;
}

const iso = (minute: number): string => new Date((baseUs + minute * minuteUs) / 1000).toISOString();
const holdPath = (from: number, to: number): string =>
  `/v1/holds?gateway=${gateway}&from=${iso(from)}&to=${iso(to)}&reason=accident&by=ada`;
const exported = async ({ api }: ServingCloud): Promise<string[]> => {
  const response = await fetch(`${api.url}/v1/export?gateway=${gateway}&stream=can0&format=candump`);
  return (await response.text()).trim().split('\n');
};

describe('retention over the API', () => {
  it('what is trimmed is in no answer any more, and gaps say why', async () => {
    await using cloud = await filled();
    await cloud.retention.pass();
    assert.equal((await exported(cloud)).length, 4);
    const { streams } = await json<Streams>(cloud, '/v1/streams');
    assert.deepEqual(
      streams.map(({ batches, records, firstTime }) => [batches, records, firstTime]),
      [[4, 4, iso(6).replace('000Z', '000000Z')]],
    );
    const storage = await json<Storage>(cloud, '/v1/storage');
    assert.deepEqual(
      storage.streams.map(({ stream, batches, rule }) => [stream, batches, rule]),
      [['can0', 4, '*/*']],
    );
    assert.equal(storage.retention.trimmedBatches, 6);
    const metrics = await (await fetch(`${cloud.api.url}/metrics`)).text();
    assert.match(metrics, /^fleetlog_retention_trimmed_batches_total 6$/m);
  });

  it('a gap report tells what was trimmed from what is missing', async () => {
    await using cloud = await filled();
    cloud.fleet.sequences = [
      {
        gateway,
        epoch,
        stream: 'can0',
        held: new RangeSet([[0, 9]]),
        trimmed: new RangeSet([[0, 5]]),
        announcedNext: 12,
      },
    ];
    const { gaps, batches, heldBatches } = await json<Gaps>(cloud, '/v1/gaps');
    assert.deepEqual(
      gaps.map(({ first, last, state }) => [first, last, state]),
      [
        [0, 5, 'trimmed'],
        [10, 11, 'missing'],
      ],
    );
    assert.deepEqual(batches, { explained: 0, pending: 0, trimmed: 6, missing: 2 });
    assert.equal(heldBatches, 4);
  });

  it('a hold keeps its range, and only its range, until it is ended; who did what stays', async () => {
    await using cloud = await filled();
    const hold = await json<HoldRow>(cloud, holdPath(2, 4), 'POST');
    await cloud.retention.pass();
    assert.equal((await exported(cloud)).length, 6, 'four that are young, two that are held');
    await json(cloud, `/v1/holds/${hold.id}?reason=closed&by=bob`, 'DELETE');
    await cloud.retention.pass();
    assert.equal((await exported(cloud)).length, 4);
    assert.deepEqual((await json<HoldList>(cloud, '/v1/holds')).holds, []);
    const { holds } = await json<HoldList>(cloud, '/v1/holds?all=true');
    assert.deepEqual(
      holds.map(({ id, reason, by, removedReason, removedBy }) => [id, reason, by, removedReason, removedBy]),
      [['1', 'accident', 'ada', 'closed', 'bob']],
    );
  });

  it('refuses a hold without a length, without a reason, and the end of one that is not there', async () => {
    await using cloud = await filled();
    for (const [path, method] of [
      [holdPath(4, 4), 'POST'],
      [holdPath(1, 2).replace('accident', ''), 'POST'],
      ['/v1/holds/7?reason=x', 'DELETE'],
    ]) {
      const response = await fetch(`${cloud.api.url}${path}`, { method });
      assert.ok(response.status >= 400 && response.status < 500, path);
    }
  });

  it('nothing is trimmed while somebody reads all of the log', async () => {
    await using cloud = await filled();
    {
      using _pause = await cloud.retention.pause();
      await cloud.retention.pass();
      assert.equal((await exported(cloud)).length, 10);
    }
    await cloud.retention.pass();
    assert.equal((await exported(cloud)).length, 4);
  });

  it('a gateway that sends a trimmed batch again is told that it was safe, and it is not taken again', async () => {
    await using cloud = await serveCloud({
      rules: checkRetention({ every: '1min', rules: [{ maxBytes: '0B' }] }, assert.fail).rules,
    });
    const { log, index, retention } = cloud;
    const queue = { messagesMax: 100, bytesMax: 1e6 };
    await using ingest = await Ingest.open({ log, logger: silentLogger, clock: systemClock, queue });
    const recorder = new AckRecorder();
    ingest.start(recorder);
    const bytes = canBatch([baseUs], { gateway, epoch, sequence: 0 });
    ingest.batch(gateway, 'can0', bytes);
    await until('it is acknowledged', () => recorder.last(gateway, 'can0')?.held.length === 2);
    await index.caughtUp(AbortSignal.timeout(10_000));
    assert.equal((await retention.pass()).batches, 1);
    ingest.batch(gateway, 'can0', bytes);
    await until('it is known', () => ingest.counters.duplicates === 1);
    assert.deepEqual(recorder.last(gateway, 'can0')?.held, [0, 0]);
    assert.equal(ingest.counters.batches, 1);
    assert.deepEqual(await all(log.read(log.partitionOf(gateway), 0)), []);
  });
});

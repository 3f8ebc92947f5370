import assert from 'node:assert/strict';
import { join } from 'node:path';
import {
  clockEventTypes,
  clockPointAttributes,
  encodeEvents,
  type BatchHeader,
} from '@fleetlog/shared/batch';
import { CanFrames, encodeCan } from '@fleetlog/shared/can';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { RollupKeeper } from '#cloud/rollups/keeper.js';
import { RollupStore } from '#cloud/rollups/store.js';
import { RecordedSignals } from '#cloud/signals/recorded-signals.js';
import { seal } from '../support/batches.js';
import { messageText } from '../support/dbc.js';
import { MemoryLog } from '../support/memory-log.js';
import { append } from '../support/recorded.js';
import { serveCloud, type ServingCloud } from '../support/serving-cloud.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const gateway = 'truck-17';
const secondUs = 1_000_000;
const startUs = Date.UTC(2026, 10, 5, 10, 40, 7) * 1000;
const always = { version: undefined, fromUs: undefined, toUs: undefined };
const database = messageText(['Tenths : 0|16@1+ (0.1,0) [0|0] "" X'], 'BO_ 256 M: 8 X');

/** Counts what is read of the log. */
class CountingLog extends MemoryLog {
  opened = 0;

  override get(...args: Parameters<MemoryLog['get']>): ReturnType<MemoryLog['get']> {
    this.opened += args[1].length;
    return super.get(...args);
  }
}

/** A batch every 40 s, for three and a half hours. */
const batches = 320;
const timeOf = (sequence: number): number => startUs + sequence * 40 * secondUs;

function batch(sequence: number, changes: Partial<BatchHeader> = {}, atUs = timeOf(sequence)): Uint8Array {
  const frames = new CanFrames();
  const bus = frames.busIndex('can0');
  for (let i = 0; i < 9; i++) {
    const data = Uint8Array.of((sequence * 37 + i * 11) & 255, (sequence >> 3) & 255, 0, 0, 0, 0, 0, 0);
    frames.append(atUs + i * secondUs, 256, 0, 8, bus, data, 0, 8);
  }
  return seal(encodeCan(frames), { gateway, stream: 'can0', sequence, ...changes });
}

async function cloudWith(log: CountingLog, rollupBytesMax?: number): Promise<ServingCloud> {
  const cloud = await serveCloud({ log, ...(rollupBytesMax !== undefined && { rollupBytesMax }) });
  const { catalogue } = cloud;
  await catalogue.add({ name: 'd', file: '', bytes: Buffer.from(database), ignoreErrors: false, nowUs: 0 });
  await catalogue.assign({ gateway, stream: 'can0', database: 'd', ...always }, { replace: false });
  return cloud;
}

async function recorded(): Promise<CountingLog> {
  const log = new CountingLog();
  await append(
    log,
    Array.from({ length: batches }, (_, sequence) => batch(sequence)),
  );
  return log;
}

async function ask({ api }: ServingCloud, parameters: string): Promise<string> {
  const response = await fetch(`${api.url}/v1/query?gateway=${gateway}&signal=Tenths&${parameters}`);
  assert.equal(response.status, 200);
  return response.text();
}

const questions = [
  '1h&agg=sum',
  '1m&agg=mean',
  '90s&agg=sum',
  '1d&agg=mean',
  '3m&agg=envelope',
  '7s&agg=last',
];
const all = (cloud: ServingCloud): Promise<string[]> =>
  Promise.all(questions.map((question) => ask(cloud, `every=${question}`)));

describe('sums that are kept', () => {
  it('are those of all values, to the last digit, and no batch is opened for them again', async () => {
    const log = await recorded();
    await using plain = await cloudWith(log);
    await using cloud = await cloudWith(log, 1e9);
    const expected = await all(plain);
    assert.deepEqual(await all(cloud), expected);
    log.opened = 0;
    assert.deepEqual(await all(cloud), expected);
    // What the ends cut: two minutes at most for each question, and two windows that are read ahead.
    assert.ok(log.opened < 0.15 * questions.length * batches, `${log.opened} batches were read`);
  });

  it('are made anew when a late batch comes, and only where it belongs', async () => {
    const log = await recorded();
    await using plain = await cloudWith(log);
    await using cloud = await cloudWith(log, 1e9);
    await all(cloud);
    await append(log, [batch(batches, {}, timeOf(80) + 5000)]);
    log.opened = 0;
    const answers = await all(cloud);
    assert.ok(log.opened < 0.3 * questions.length * batches, `${log.opened} batches were read`);
    assert.deepEqual(answers, await all(plain));
  });

  it('are made anew when the database or its assignment changes', async () => {
    const log = await recorded();
    await using plain = await cloudWith(log);
    await using cloud = await cloudWith(log, 1e9);
    const before = await all(cloud);
    const bytes = Buffer.from(database.replace('(0.1,0)', '(0.2,1)'));
    for (const { catalogue } of [plain, cloud]) {
      await catalogue.add({ name: 'd', file: '', bytes, ignoreErrors: false, nowUs: 1 });
    }
    const after = await all(cloud);
    assert.notDeepEqual(after, before);
    assert.deepEqual(after, await all(plain));
    const toUs = timeOf(180);
    for (const { catalogue } of [plain, cloud]) {
      await catalogue.unassign({ gateway, stream: 'can0', database: 'd', fromUs: toUs, toUs: undefined });
    }
    assert.deepEqual(await all(cloud), await all(plain));
  });

  it('are made anew when the clock of a boot is known better', async () => {
    const log = new CountingLog();
    const boot = '1111111111111111';
    // The clock was two minutes and a half late, and nobody knew.
    const wallOffsetUs = 1_700_000_000_000_000;
    const clock = { wallOffsetUs, state: 'unset' as const, uncertaintyUs: -1, stamped: true };
    await append(
      log,
      Array.from({ length: 100 }, (_, sequence) => batch(sequence, { boot, clock })),
    );
    await using plain = await cloudWith(log);
    await using cloud = await cloudWith(log, 1e9);
    const before = await all(cloud);
    const point = {
      monotonicUs: timeOf(50) - wallOffsetUs,
      wallOffsetUs: wallOffsetUs + 150 * secondUs,
      state: 'synced' as const,
      uncertaintyUs: 1000,
      source: 'gps',
    };
    const event = { timeUs: timeOf(50), type: clockEventTypes.set, attributes: clockPointAttributes(point) };
    await append(log, [seal(encodeEvents([event]), { gateway, stream: 'events', boot, clock, sequence: 0 })]);
    const after = await all(cloud);
    assert.notDeepEqual(after, before);
    assert.deepEqual(after, await all(plain));
  });

  it('stay within their room: what was not asked for the longest goes', async () => {
    await using folder = await tempFolder('rollups');
    const options = { path: folder.path, indexId: 'a' };
    const one = { gateway, stream: 'can0', meaning: 'm' };
    const cell = { count: 1, min: 1, max: 1, sum: 1, first: 1, last: 1 };
    await using store = await RollupStore.open({ ...options, bytesMax: 400 });
    for (const [i, name] of ['A', 'B', 'C'].entries()) {
      const signal = await store.ask({ ...one, name, askedMs: name === 'A' ? 9 : i });
      for (let block = 0; block < 3; block++) {
        await store.put(signal, 60e6, new Map([[block * 3600e6, [{ place: block, revision: 5, cell }]]]));
      }
      assert.ok(store.bytes <= 400);
    }
    assert.deepEqual(
      store.kept.map(({ name }) => name),
      ['A', 'C'],
    );
  });

  it('survive a restart, and are forgotten with the index that they were made with', async () => {
    await using folder = await tempFolder('rollups');
    const path = join(folder.path, 'rollups');
    const cell = { count: 3, min: -1, max: 2, sum: 0.5, first: 2, last: -1 };
    const asked = { gateway, stream: 'can0', name: 'M/S', meaning: 'm', askedMs: 1 };
    const look = async (indexId: string): Promise<[number, unknown]> => {
      await using store = await RollupStore.open({ path, indexId, bytesMax: 1e6 });
      const count = store.kept.length;
      const signal = await store.ask(asked);
      const [block] = await store.blocks(signal, 1e6, [0]);
      const found: [number, unknown] = [count, block.revision(59) === 7 && block.cell(59)];
      await store.put(signal, 1e6, new Map([[0, [{ place: 59, revision: 7, cell }]]]));
      return found;
    };
    assert.deepEqual(await look('a'), [0, false]);
    assert.deepEqual(await look('a'), [1, cell]);
    assert.deepEqual(await look('b'), [0, false]);
  });

  it('of signals that are listed are there before anybody asks', async () => {
    const log = await recorded();
    await using cloud = await cloudWith(log, 1e9);
    const { index, catalogue } = cloud;
    const listed = [`${gateway}/can0/M/Tenths`];
    const clock = systemClock;
    await using _keeper = new RollupKeeper({
      index,
      log,
      catalogue,
      recorded: new RecordedSignals(index, log),
      rollups: cloud.rollups!,
      clock,
      logger: silentLogger,
      listed,
    });
    await until('the sums are made', async () => {
      log.opened = 0;
      await ask(cloud, 'every=1h');
      return log.opened < 70;
    });
  });
});

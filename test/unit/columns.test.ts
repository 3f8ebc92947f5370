import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  clockEventTypes,
  clockPointAttributes,
  encodeEvents,
  type BatchHeader,
} from '@fleetlog/shared/batch';
import { CAN_EFF_FLAG, CanFrames, encodeCan } from '@fleetlog/shared/can';
import { FleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { MinuteColumns } from '#cloud/columns/column.js';
import { ColumnKeeper } from '#cloud/columns/keeper.js';
import { ColumnStore } from '#cloud/columns/store.js';
import { planStreams } from '#cloud/query/plan.js';
import { streamSeries } from '#cloud/query/stream-series.js';
import { RecordedSignals } from '#cloud/signals/recorded-signals.js';
import { streamSignals } from '#cloud/signals/directory.js';
import { seal } from '../support/batches.js';
import { messageText } from '../support/dbc.js';
import { MemoryLog } from '../support/memory-log.js';
import { append } from '../support/recorded.js';
import { serveCloud, type ServingCloud } from '../support/serving-cloud.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const gateway = 'truck-17';
const stream = 'can0';
const minuteUs = 60_000_000;
const startUs = Date.UTC(2026, 10, 5, 10, 40) * 1000;
const always = { version: undefined, fromUs: undefined, toUs: undefined };
/** A message of its own, and one that two control units send. */
const database =
  messageText(['Tenths : 0|16@1+ (0.1,0) [0|0] "" X'], 'BO_ 256 M: 8 X') +
  messageText(['Speed : 8|16@1+ (1,0) [0|0] "" X'], `BO_ ${CAN_EFF_FLAG + 0x18fe_f100} CCVS: 8 X`) +
  'BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";\n' +
  'BA_DEF_DEF_ "VFrameFormat" "StandardCAN";\n' +
  `BA_ "VFrameFormat" BO_ ${CAN_EFF_FLAG + 0x18fe_f100} 3;\n`;

/** Counts what is read of the log. */
class CountingLog extends MemoryLog {
  opened = 0;

  override get(...args: Parameters<MemoryLog['get']>): ReturnType<MemoryLog['get']> {
    this.opened += args[1].length;
    return super.get(...args);
  }
}

/** Batches of ten seconds, 20 minutes of them. */
const batches = 120;
const timeOf = (sequence: number): number => startUs + sequence * 10_000_000;

function batch(sequence: number, changes: Partial<BatchHeader> = {}, atUs = timeOf(sequence)): Uint8Array {
  const frames = new CanFrames();
  const bus = frames.busIndex('can0');
  for (let i = 0; i < 40; i++) {
    const data = Uint8Array.of(
      (sequence * 37 + i * 11) & 255,
      (sequence >> 3) & 255,
      i,
      0,
      0,
      0,
      0,
      sequence,
    );
    const sender = CAN_EFF_FLAG + 0x18fe_f100 + (i % 3);
    frames.append(atUs + (i >> 1) * 500_000, i % 4 === 1 ? sender : 256, 0, 8, bus, data, 0, 8);
  }
  return seal(encodeCan(frames), { gateway, stream, sequence, ...changes });
}

async function cloudWith(log: CountingLog, columnBytesMax?: number): Promise<ServingCloud> {
  const cloud = await serveCloud({ log, ...(columnBytesMax !== undefined && { columnBytesMax }) });
  const { catalogue } = cloud;
  await catalogue.add({ name: 'd', file: '', bytes: Buffer.from(database), ignoreErrors: false, nowUs: 0 });
  await catalogue.assign({ gateway, stream, database: 'd', ...always }, { replace: false });
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

const keeperOf = ({ index, log, columnStore }: ServingCloud): ColumnKeeper =>
  new ColumnKeeper({ index, log, columns: columnStore!, clock: systemClock, logger: silentLogger, share: 1 });

async function keep(cloud: ServingCloud): Promise<void> {
  await cloud.index.caughtUp(AbortSignal.timeout(60_000));
  await using keeper = keeperOf(cloud);
  await keeper.follow({ all: true });
}

const iso = (minute: number): string => new Date((startUs + minute * minuteUs) / 1000).toISOString();

async function ask({ api }: ServingCloud, parameters: string): Promise<string> {
  const response = await fetch(`${api.url}/v1/query?gateway=${gateway}&${parameters}`);
  assert.equal(response.status, 200);
  return response.text();
}

const questions = [
  'signal=Tenths',
  'signal=Speed',
  'signal=Tenths&signal=Speed&every=7s&agg=sum',
  'signal=Tenths&every=1m&agg=envelope',
  `signal=Tenths&from=${iso(2)}&to=${iso(15)}`,
];
const all = (cloud: ServingCloud): Promise<string[]> =>
  Promise.all(questions.map((question) => ask(cloud, question)));

const kept = ({ columnStore }: ServingCloud): number[] =>
  [...(columnStore!.stream(gateway, stream)?.minutes.keys() ?? [])]
    .map((us) => (us - startUs) / minuteUs)
    .sort((a, b) => a - b);

describe('minutes that are kept by identifier', () => {
  it('say what all batches say, and no batch is opened for them', async () => {
    const log = await recorded();
    await using plain = await cloudWith(log);
    await using cloud = await cloudWith(log, 1e9);
    await keep(cloud);
    assert.deepEqual(kept(cloud), [...Array(19).keys()]); // of the 20th nobody knows that it is over
    assert.deepEqual(await all(cloud), await all(plain));
    const inside = `signal=Tenths&from=${iso(2)}&to=${iso(15)}`;
    const expected = await ask(plain, inside);
    log.opened = 0;
    assert.equal(await ask(cloud, inside), expected);
    assert.equal(log.opened, 0);
  });

  it('are left aside where several senders say the same signal', async () => {
    const log = await recorded();
    await using cloud = await cloudWith(log, 1e9);
    await keep(cloud);
    const whole = `from=${iso(2)}&to=${iso(15)}`;
    log.opened = 0;
    await ask(cloud, `signal=Speed&${whole}`);
    assert.ok(log.opened > 0);
  });

  it('are left aside from when a late batch comes until they are made anew, and only where it belongs', async () => {
    const log = await recorded();
    await using plain = await cloudWith(log);
    await using cloud = await cloudWith(log, 1e9);
    await keep(cloud);
    await append(log, [batch(batches, {}, timeOf(38) + 5000)]);
    const expected = await all(plain);
    log.opened = 0;
    await ask(cloud, `signal=Tenths&from=${iso(2)}&to=${iso(15)}`);
    // The minute's own batches, and what touches it.
    assert.ok(log.opened > 0 && log.opened <= 9, `${log.opened} batches were read`);
    assert.deepEqual(await all(cloud), expected);
    await keep(cloud);
    assert.deepEqual(await all(cloud), expected);
    log.opened = 0;
    await ask(cloud, `signal=Tenths&from=${iso(2)}&to=${iso(15)}`);
    assert.equal(log.opened, 0);
  });

  it('are made anew when the clock of a boot is known better', async () => {
    const log = new CountingLog();
    const boot = '1111111111111111';
    const wallOffsetUs = 1_700_000_000_000_000;
    const clock = { wallOffsetUs, state: 'unset' as const, uncertaintyUs: -1, stamped: true };
    await append(
      log,
      Array.from({ length: 60 }, (_, sequence) => batch(sequence, { boot, clock })),
    );
    await using plain = await cloudWith(log);
    await using cloud = await cloudWith(log, 1e9);
    await keep(cloud);
    const before = await all(cloud);
    const point = {
      monotonicUs: timeOf(30) - wallOffsetUs,
      wallOffsetUs: wallOffsetUs + 150_000_000,
      state: 'synced' as const,
      uncertaintyUs: 1000,
      source: 'gps',
    };
    const event = { timeUs: timeOf(30), type: clockEventTypes.set, attributes: clockPointAttributes(point) };
    await append(log, [seal(encodeEvents([event]), { gateway, stream: 'events', boot, clock, sequence: 0 })]);
    const after = await all(cloud);
    assert.notDeepEqual(after, before);
    assert.deepEqual(after, await all(plain));
    await keep(cloud);
    assert.deepEqual(await all(cloud), after);
    // What lies before the stream's first minute, now that it is known better, is gone.
    assert.ok(kept(cloud).every((minute) => minute >= 2));
  });

  it('that go while somebody reads them are read from the log', async () => {
    const log = await recorded();
    await using cloud = await cloudWith(log, 1e9);
    await keep(cloud);
    const { index, columnStore } = cloud;
    const signals = await streamSignals(
      { ...cloud, recorded: new RecordedSignals(index, log) },
      { gateway, stream },
    );
    const range = { fromUs: startUs, toUs: startUs + 15 * minuteUs };
    const other = new MinuteColumns();
    const frames = new CanFrames();
    frames.append(startUs, 9, 0, 1, frames.busIndex('can0'), Uint8Array.of(1), 0, 1);
    other.add(frames, 0, 1);
    const values = async (store: ColumnStore | undefined): Promise<number[]> => {
      const column = { name: 'Tenths', signals: signals.filter(({ name }) => name === 'M/Tenths') };
      const [planned] = planStreams([column], () => [range]);
      const found: number[] = [];
      const parts = { index, log, columnStore: store, check: () => {} };
      for await (const { series } of streamSeries(parts, planned)) found.push(...series[0].values);
      return found;
    };
    const expected = await values(undefined);
    assert.ok(expected.length > 500);
    /** Somebody else makes room, or has made a minute anew, when it is known what is to be read. */
    const meanwhile = (change: () => Promise<void>): ColumnStore =>
      Object.create(columnStore!, {
        columns: {
          value: async function* (...asked: Parameters<ColumnStore['columns']>) {
            await change();
            yield* columnStore!.columns(...asked);
          },
        },
      }) as ColumnStore;
    const goes = meanwhile(() => columnStore!.drop(gateway, stream, startUs + 3 * minuteUs));
    assert.deepEqual(await values(goes), expected);
    assert.ok(!kept(cloud).includes(3));
    const last = { startUs: startUs + 18 * minuteUs, revision: 1, columns: [...other.encoded()] };
    const knowsLess = meanwhile(() => columnStore!.put(gateway, stream, last));
    assert.deepEqual(await values(knowsLess), expected);
  });

  it('that do not read are read from the log, and a folder that does not open is made anew', async () => {
    const log = await recorded();
    await using cloud = await cloudWith(log, 1e9);
    await keep(cloud);
    const expected = await ask(cloud, 'signal=Tenths');
    const { columnStore } = cloud;
    const columns = columnStore!.columns.bind(columnStore!);
    columnStore!.columns = async function* (...asked) {
      let left = 5;
      for await (const column of columns(...asked)) {
        if (left-- === 0) throw new FleetlogError('FLEETLOG_STORE', 'A read failed: checksum mismatch');
        yield column;
      }
    };
    assert.equal(await ask(cloud, 'signal=Tenths'), expected);
    await using folder = await tempFolder('columns');
    const options = { path: join(folder.path, 'columns'), indexId: 'a', bytesMax: 1e6 };
    {
      await using store = await ColumnStore.open(options);
      await store.put(gateway, stream, { startUs, revision: 7, columns: [] });
    }
    await writeFile(join(options.path, 'CURRENT'), 'damaged\n');
    await using again = await ColumnStore.open(options);
    assert.equal(again.bytes, 0);
  });

  it('stay within their room: the oldest go, and older ones are not made', async () => {
    const log = await recorded();
    await using large = await cloudWith(log, 1e9);
    await keep(large);
    const room = Math.ceil(large.columnStore!.bytes / 2);
    await using plain = await cloudWith(log);
    await using cloud = await cloudWith(log, room);
    await keep(cloud);
    assert.ok(cloud.columnStore!.bytes <= room);
    const minutes = kept(cloud);
    assert.ok(minutes.length >= 6 && minutes.length <= 10, String(minutes));
    assert.deepEqual(minutes, [...Array(19).keys()].slice(-minutes.length));
    await append(log, [batch(batches), batch(batches + 6)]);
    await keep(cloud);
    assert.ok(cloud.columnStore!.bytes <= room);
    assert.equal(kept(cloud).at(-1), 20 - 1 + 1);
    assert.deepEqual(await all(cloud), await all(plain));
  });

  it('survive a restart, and are forgotten with the index that they were made with', async () => {
    await using folder = await tempFolder('columns');
    const path = join(folder.path, 'columns');
    const minute = new MinuteColumns();
    const frames = new CanFrames();
    const bus = frames.busIndex('can0');
    for (let i = 0; i < 9; i++) frames.append(startUs + i, 5, 0, 2, bus, Uint8Array.of(i, 7), 0, 2);
    minute.add(frames, 0, 9);
    const columns = [...minute.encoded()];
    const look = async (indexId: string): Promise<number[]> => {
      await using store = await ColumnStore.open({ path, indexId, bytesMax: 1e6 });
      const found: number[] = [store.bytes > 0 ? 1 : 0, ...(store.stream(gateway, stream)?.ids ?? [])];
      const range = { fromUs: startUs, toUs: startUs + minuteUs };
      for await (const column of store.columns(gateway, stream, 5, range)) {
        found.push(column.frames.header.recordCount);
      }
      await store.put(gateway, stream, { startUs, revision: 7, columns });
      assert.equal(store.stream(gateway, stream)!.minutes.get(startUs)!.revision, 7);
      return found;
    };
    assert.deepEqual(await look('a'), [0]);
    assert.deepEqual(await look('a'), [1, 5, 9]);
    assert.deepEqual(await look('b'), [0]);
  });

  it('are not made of what nobody could hold in memory, and such minutes are answered', async () => {
    const log = new CountingLog();
    const frames = new CanFrames();
    const bus = frames.busIndex('can0');
    for (let i = 0; i < 3000; i++)
      frames.append(startUs + i, CAN_EFF_FLAG + i, 0, 1, bus, Uint8Array.of(1), 0, 1);
    await append(log, [
      seal(encodeCan(frames), { gateway, stream, sequence: 0 }),
      ...Array.from({ length: 13 }, (_, i) => batch(i + 1)),
    ]);
    await using plain = await cloudWith(log);
    await using cloud = await cloudWith(log, 1e9);
    await keep(cloud);
    assert.deepEqual(kept(cloud), [1]);
    assert.deepEqual(await all(cloud), await all(plain));
  });

  it('go with a stream of which nothing is left', async () => {
    const log = await recorded();
    await using cloud = await cloudWith(log, 1e9);
    await keep(cloud);
    assert.ok(cloud.columnStore!.bytes > 0);
    const { index } = cloud;
    const emptied = Object.create(index, { streams: { value: async function* () {} } }) as typeof index;
    await using keeper = keeperOf({ ...cloud, index: emptied });
    await keeper.follow();
    assert.equal(cloud.columnStore!.bytes, 0);
  });

  it('are made without being asked for', async () => {
    const log = await recorded();
    await using cloud = await cloudWith(log, 1e9);
    await using keeper = keeperOf(cloud);
    keeper.start();
    await until('the minutes are kept', () => kept(cloud).length === 19);
  });
});

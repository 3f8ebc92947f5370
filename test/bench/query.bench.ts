import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeBatch, type EncodedPayload } from '@fleetlog/shared/batch';
import { encodeCan } from '@fleetlog/shared/can';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import type { Latest } from '#cloud/api/query-schemas.js';
import { startApi } from '#cloud/api/server.js';
import { Groups } from '#cloud/consumers/groups.js';
import { ColumnKeeper } from '#cloud/columns/keeper.js';
import { ColumnStore } from '#cloud/columns/store.js';
import { openIndex } from '#cloud/index/index.js';
import type { Log } from '#cloud/log/log.js';
import { openLog } from '#cloud/log/rocksdb-log.js';
import { RollupStore } from '#cloud/rollups/store.js';
import { Catalogue } from '#cloud/signals/catalogue/index.js';
import { keeping } from '../support/keeping.js';
import { headerFor } from '../support/batches.js';
import { FakeFleet } from '../support/fake-fleet.js';
import { fordSeconds } from '../support/ford-seconds.js';
import { generateSecond } from '../support/generate-frames.js';
import { noImports } from '../support/no-imports.js';
import { tempFolder } from '../support/temp-folder.js';
import type { BenchRow } from './row.js';
import { fordDatabase, generatedDatabaseText } from './signals.bench.js';

const seconds = 24 * 3600;
const rounds = 5;
const gateway = 'truck-17';
const startMs = Date.UTC(2026, 10, 5);

/**
 * Questions to a cloud that holds a day of one bus, asked over HTTP by a client in the same process. In the folder
 * FLEETLOG_BENCH_DAY the day's log, index and
 * minutes by identifier are kept for the next time; sums that are kept of it never are.
 */
export async function benchQuery(): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench');
  const kept = process.env['FLEETLOG_BENCH_DAY'] ?? folder.path;
  const parts = { logger: silentLogger, clock: systemClock };
  await using log = await openLog({ path: join(kept, 'log'), ...parts });
  const ford = fordSeconds()?.filter(({ count }) => count > 1900);
  const payloads = (ford ?? Array.from({ length: 20 }, (_, i) => generateSecond(i + 1))).map((frames) =>
    encodeCan(frames),
  );
  const { next: held } = log.ends()[log.partitionOf(gateway)];
  if (held === 0) await appendSeconds(log, payloads, 0, seconds);
  await using index = await openIndex({ log, path: join(kept, 'index'), ...parts });
  await index.caughtUp(AbortSignal.timeout(600_000));
  const catalogue = await Catalogue.open(join(folder.path, 'catalogue'));
  const database = ford ? readFileSync(fordDatabase) : Buffer.from(generatedDatabaseText());
  await catalogue.add({ name: 'd', file: '', bytes: database, ignoreErrors: true, nowUs: 0 });
  const always = { version: undefined, fromUs: undefined, toUs: undefined };
  await catalogue.assign({ gateway, stream: 'can0', database: 'd', ...always }, { replace: false });
  await using columns = await ColumnStore.open({
    path: join(kept, 'columns'),
    indexId: index.id,
    bytesMax: 2 ** 29,
  });
  await using columnKeeper = new ColumnKeeper({ ...parts, index, log, columns, share: 1 });
  const before = { bytes: columns.bytes, cpu: process.cpuUsage() };
  await columnKeeper.follow({ all: true });
  const { user: keptUs } = process.cpuUsage(before.cpu);
  const madeBytes = columns.bytes - before.bytes;
  await using groups = await Groups.open({ log, ...parts });
  await using keeper = await keeping(log, index);
  const { retention, disk } = keeper;
  const serve = async (
    name: string,
    columnStore: ColumnStore | undefined,
  ): Promise<{ url: string } & AsyncDisposable> => {
    const path = join(folder.path, name);
    const rollups = await RollupStore.open({ path, indexId: index.id, bytesMax: 2 ** 28 });
    const api = await startApi({
      ...parts,
      retention,
      disk,
      log,
      index,
      groups,
      catalogue,
      rollups,
      columnStore,
      host: '127.0.0.1',
      port: 0,
      fleet: new FakeFleet(),
      imports: noImports,
      version: '0',
    });
    return {
      url: api.url,
      [Symbol.asyncDispose]: async () => {
        await api.close();
        await rollups[Symbol.asyncDispose]();
      },
    };
  };
  await using api = await serve('rollups', columns);
  await using bare = await serve('rollups-bare', undefined);
  const { records: frames, bytes } = (await index.stream(gateway, 'can0'))!;
  const on = `${(frames / 1e6).toFixed(0)} million frames of ${ford ? 'two Ford recordings' : 'a generated vehicle'}, 24 h in batches of a second, ${(bytes / 1e6).toFixed(0)} MB`;
  const ask = async (path: string, { url } = api): Promise<{ ms: number; cpuMs: number; text: string }> => {
    const cpu = process.cpuUsage();
    const started = performance.now();
    const response = await fetch(`${url}/v1/${path}`);
    const text = await response.text();
    if (response.status !== 200) throw new Error(text);
    const { user, system } = process.cpuUsage(cpu);
    return { ms: performance.now() - started, cpuMs: (user + system) / 1000, text };
  };
  const { signals } = JSON.parse((await ask(`latest?gateway=${gateway}`)).text) as Latest;
  const names = signals.map(({ name }) => name);
  const first = encodeURIComponent(
    ford ? (names.find((n) => n.endsWith('/Veh_V_ActlEng')) ?? names[0]) : names[0],
  );
  const query = (more: string): string => `query?gateway=${gateway}&${more}`;
  const at = (ms: number): string => new Date(startMs + ms).toISOString();
  const day = query(`signal=${first}&every=1m&agg=envelope`);
  const whole = await ask(day);
  const fromBatches = await ask(day, bare);
  if (fromBatches.text !== whole.text) throw new Error('The answers differ.');
  const rows: BenchRow[] = [
    {
      name: 'index, part of the log',
      value: (100 * (await index.diskBytes())) / bytes,
      unit: '%',
      on: `${on}; write-ahead log of the index included`,
    },
    {
      name: 'minutes by identifier, part of the log',
      value: (100 * columns.bytes) / bytes,
      unit: '%',
      on: `${on}; beside the log and the index, within a budget of its own`,
    },
    ...(madeBytes > columns.bytes / 2
      ? [
          {
            name: 'keeping a minute by identifier',
            value: keptUs / 1000 / (seconds / 60),
            unit: 'ms',
            on: `of CPU, in the background; ${on}`,
          },
        ]
      : []),
    {
      name: '1-minute envelope of a day, first',
      value: whole.ms,
      unit: 'ms',
      on: `one signal, ${on}; ${Math.round(whole.cpuMs)} ms of CPU`,
    },
    {
      name: 'the same, of batches alone',
      value: fromBatches.ms,
      unit: 'ms',
      on: `where no minutes are kept by identifier; ${Math.round(fromBatches.cpuMs)} ms of CPU`,
    },
  ];
  const timed = async (
    name: string,
    more: string,
    also: (round: number) => Promise<unknown> = async () => {},
    server = api,
  ): Promise<void> => {
    const times: number[] = [];
    let lines = 0;
    let cpuMsLeast = Infinity;
    for (let round = 0; round < rounds; round++) {
      await also(round);
      const { ms, cpuMs, text } = await ask(more, server);
      times.push(ms);
      cpuMsLeast = Math.min(cpuMsLeast, cpuMs);
      lines = text.split('\n').length - 2;
    }
    const value = times.sort((a, b) => a - b)[rounds >> 1];
    rows.push({
      name,
      value,
      unit: 'ms',
      on: `${lines} rows; median of ${rounds}; the same day; ${Math.round(cpuMsLeast)} ms of CPU, client and all`,
    });
  };
  const end = Math.max(held, seconds); // of the seconds, of which each has been one batch
  await timed('1-minute envelope of a day, again', day, (round) =>
    appendSeconds(log, payloads, end + 10 * round, end + 10 * round + 10),
  );
  const hour = `&from=${at(12 * 3_600_000)}&to=${at(13 * 3_600_000)}`;
  await timed('every value of an hour', query(`signal=${first}${hour}`));
  await timed('the same, of batches alone', query(`signal=${first}${hour}`), undefined, bare);
  const many = names.slice(0, 20).map((name) => `signal=${encodeURIComponent(name)}`);
  const minute = `&from=${at(12 * 3_600_000)}&to=${at(12 * 3_600_000 + 60_000)}`;
  await timed('every value of 20 signals in a minute', query(`${many.join('&')}${minute}`));
  await timed('the same, of batches alone', query(`${many.join('&')}${minute}`), undefined, bare);
  return rows;
}

/** Seconds `[from, to)` of the day and what comes after it, each a batch with the content of one of the payloads. */
async function appendSeconds(
  log: Log,
  payloads: readonly EncodedPayload[],
  from: number,
  to: number,
): Promise<void> {
  const partition = log.partitionOf(gateway);
  for (let start = from; start < to; start += 1000) {
    const entries = Array.from({ length: Math.min(1000, to - start) }, (_, i) => {
      const sequence = start + i;
      const payload = payloads[sequence % payloads.length];
      const firstTimeUs = (startMs + 1000 * sequence) * 1000;
      // Times in a payload count from the header's: the same bytes are any second.
      const lastTimeUs = firstTimeUs + payload.lastTimeUs - payload.firstTimeUs;
      const header = headerFor(payload, { gateway, stream: 'can0', sequence, firstTimeUs, lastTimeUs });
      const batch = encodeBatch(header, payload.payload);
      return { partition, receiveTimeUs: lastTimeUs + 500_000, bytes: batch };
    });
    await log.append(entries);
  }
}

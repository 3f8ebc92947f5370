import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiLimits } from '#cloud/api/context.js';
import { ApiClient } from '#cloud/client/api-client.js';
import type { CloudAnswers } from '#cloud/sql/fill.js';
import { runSql } from '#cloud/sql/run.js';
import { messageText } from '../support/dbc.js';
import { append, candumpBatches } from '../support/recorded.js';
import { ended, start } from '../support/run-command.js';
import { serveCloud, type ServingCloud } from '../support/serving-cloud.js';
import { tempFolder } from '../support/temp-folder.js';

const engine = messageText(
  ['Rpm : 0|16@1+ (0.25,0) [0|0] "rpm" Node', 'Gear : 16|8@1+ (1,0) [0|0] "" Node'],
  'BO_ 256 Engine: 8 Node',
);
/** From 2001-09-09 01:46:40 UTC, a frame each second for a minute, on two buses of two gateways. */
const startSeconds = 1_000_000_000;
const seconds = 60;

async function recorded(limits: Partial<ApiLimits> = {}): Promise<ServingCloud> {
  const cloud = await serveCloud({ limits });
  for (const gateway of ['bus-4', 'truck-17']) {
    for (const stream of ['can0', 'can1']) {
      const lines = Array.from({ length: seconds }, (_, k) => {
        const rpm = (4 * k).toString(16).padStart(2, '0');
        return `(${startSeconds + k}.250000) ${stream} 100#${rpm}000${k % 6}0000000000\n`;
      });
      const batches = candumpBatches(
        Buffer.from(lines.join('')),
        { gateway, stream, epoch: '0011223344556677' },
        7,
      );
      await append(cloud.log, batches);
    }
  }
  const bytes = Buffer.from(engine);
  await cloud.catalogue.add({ name: 'engine', file: '', bytes, ignoreErrors: false, nowUs: 0 });
  const assignment = { database: 'engine', version: undefined, fromUs: undefined, toUs: undefined };
  for (const gateway of ['bus-4', 'truck-17'])
    await cloud.catalogue.assign({ gateway, stream: 'can0', ...assignment }, { replace: false });
  return cloud;
}

interface Asked {
  rows: unknown[][];
  columns: readonly string[];
  /** What came from the cloud, but for the lists that always come. */
  requests: string[];
  notes: string[];
}

async function ask({ api }: Pick<ServingCloud, 'api'>, statement: string): Promise<Asked> {
  const client = new ApiClient(api.url);
  const requests: string[] = [];
  const recording: CloudAnswers = {
    json: (path, query) => client.json(path, query),
    stream: (path, query, options) => {
      requests.push(
        [path, ...Object.values(query).flat()]
          .filter((part) => part !== undefined && part !== 'csv' && part !== 'long')
          .join(' '),
      );
      return client.stream(path, query, options);
    },
  };
  const notes: string[] = [];
  await using answer = await runSql({
    api: recording,
    statement,
    all: false,
    onBytes: () => {},
    onNote: (note) => notes.push(note),
  });
  const rows: unknown[][] = [];
  for await (const some of answer.rows) rows.push(...some);
  return { rows, columns: answer.columns, requests: requests.sort(), notes };
}

describe('SQL', () => {
  let cloud: ServingCloud;
  before(async () => {
    cloud = await recorded();
  });
  after(() => cloud[Symbol.asyncDispose]());

  it('has every frame as it was sent: classic, remote, extended, CAN FD, errors', async () => {
    await using other = await serveCloud();
    const text = [
      '(1000000000.000001) can0 123#00FF',
      '(1000000000.000002) can0 1FFFFFFF#0102030405060708',
      '(1000000000.000003) can0 123#R4',
      '(1000000000.000004) can0 7FF##511223344',
      '(1000000000.000005) can0 20000004#0008000000000000',
      '(1000000000.000006) can0 000#',
    ];
    await append(
      other.log,
      candumpBatches(Buffer.from(`${text.join('\n')}\n`), { gateway: 'truck-17', epoch: '0011223344556677' }),
    );
    const { rows } = await ask(
      other,
      'select id, extended, type, brs, dlc, data, time from frames order by time',
    );
    assert.deepEqual(rows, [
      [0x123, false, 'data', false, 2, '00FF', '2001-09-09T01:46:40.000001Z'],
      [0x1fffffff, true, 'data', false, 8, '0102030405060708', '2001-09-09T01:46:40.000002Z'],
      [0x123, false, 'remote', false, 4, '', '2001-09-09T01:46:40.000003Z'],
      [0x7ff, false, 'fd', true, 4, '11223344', '2001-09-09T01:46:40.000004Z'],
      [0x20000004, true, 'error', false, 8, '0008000000000000', '2001-09-09T01:46:40.000005Z'],
      [0, false, 'data', false, 0, '', '2001-09-09T01:46:40.000006Z'],
    ]);
  });

  it('has every value of the signals, by their full and their short names', async () => {
    const { rows } = await ask(
      cloud,
      "select gateway, stream, signal, name, count(*), max(value) from signals where name = 'Rpm' group by all order by all",
    );
    assert.deepEqual(rows, [
      ['bus-4', 'can0', 'can0/Engine/Rpm', 'Rpm', 60, 59],
      ['truck-17', 'can0', 'can0/Engine/Rpm', 'Rpm', 60, 59],
    ]);
  });

  const conditions: [string, (row: { gateway: string; stream: string; second: number }) => boolean][] = [
    ['true', () => true],
    ['false', () => false],
    ["gateway = 'bus-4'", ({ gateway }) => gateway === 'bus-4'],
    ["gateway in ('bus-4', 'nobody')", ({ gateway }) => gateway === 'bus-4'],
    ["gateway = 'bus-4' or gateway = 'truck-17'", () => true],
    ["gateway = 'bus-4' or stream = 'can1'", (row) => row.gateway === 'bus-4' || row.stream === 'can1'],
    ["gateway != 'bus-4' and stream like 'can1%'", (row) => row.gateway !== 'bus-4' && row.stream === 'can1'],
    [
      "(gateway = 'bus-4' and stream = 'can0') or (gateway = 'truck-17' and stream = 'can1')",
      (row) => (row.gateway === 'bus-4') === (row.stream === 'can0'),
    ],
    ["time >= '2001-09-09 01:46:50.25'", ({ second }) => second >= 10],
    ["time > '2001-09-09 01:46:50.25'", ({ second }) => second > 10],
    ["time <= '2001-09-09 01:46:50.25'", ({ second }) => second <= 10],
    ["time < '2001-09-09 01:46:50.25'", ({ second }) => second < 10],
    ["time = '2001-09-09 01:46:50.25'", ({ second }) => second === 10],
    [
      "time between '2001-09-09 01:46:45' and '2001-09-09 01:46:50'",
      (row) => row.second >= 5 && row.second < 10,
    ],
    [
      "time < '2001-09-09 01:46:45' or time > '2001-09-09 01:47:30'",
      (row) => row.second < 5 || row.second >= 50,
    ],
    ["not (time < '2001-09-09 01:46:45')", ({ second }) => second >= 5],
    ["time::date = '2001-09-09'", () => true],
    ["time::date > '2001-09-09'", () => false],
    ['epoch(time) >= 1000000030', ({ second }) => second >= 30],
    ['time >= to_timestamp(1000000030)', ({ second }) => second >= 30],
    ["time >= timestamptz '2001-09-09 01:47:40+02' - interval 2 hours", () => true],
    ["date_trunc('minute', time) = '2001-09-09 01:47:00'", ({ second }) => second >= 20],
    ['time > (select min(first_time) + interval 30 seconds from streams)', ({ second }) => second > 30],
    ['gateway = (select max(gateway) from gateways)', ({ gateway }) => gateway === 'truck-17'],
    ["gateway = 'it''s' or gateway = 'bus-4'", ({ gateway }) => gateway === 'bus-4'],
  ];
  for (const [condition, fits] of conditions) {
    it(`loses nothing of what DuckDB wants to read: ${condition}`, async () => {
      const wanted: string[] = [];
      for (const gateway of ['bus-4', 'truck-17'])
        for (const stream of ['can0', 'can1'])
          for (let second = 0; second < seconds; second++)
            if (fits({ gateway, stream, second })) wanted.push(`${gateway} ${stream} ${second}`);
      const { rows } = await ask(
        cloud,
        `select gateway || ' ' || stream || ' ' || (epoch(time)::bigint - ${startSeconds}) from frames where ${condition} order by gateway, stream, time`,
      );
      assert.deepEqual(rows.flat(), wanted);
    });
  }

  it('fetches what a statement needs, and no more', async () => {
    const from = '2001-09-09T01:46:45.000000Z';
    const range = "time >= '2001-09-09 01:46:45'";
    const cases: [string, string[]][] = [
      ['select count(*) from streams', []],
      ['select count(*) from frames where false', []],
      [
        `select count(*) from frames where gateway = 'bus-4' and ${range}`,
        [`/v1/export bus-4 can0 ${from}`, `/v1/export bus-4 can1 ${from}`],
      ],
      // Through a subquery, and through a join to the other side of it, time included.
      [
        `with own as (from frames where stream = 'can0' and gateway = 'truck-17' and ${range})
          select count(*) from own join signals using (gateway, time) where signals.name = 'Gear'`,
        [`/v1/export truck-17 can0 ${from}`, `/v1/query truck-17 can0/Engine/Gear ${from}`],
      ],
      // What one of two scans needs.
      [
        `select (select count(*) from frames where gateway = 'bus-4' and stream = 'can0' and time < '2001-09-09 01:46:41')
          + (select count(*) from frames where gateway = 'bus-4' and stream = 'can0' and time < '2001-09-09 01:46:45')`,
        [`/v1/export bus-4 can0 ${from}`],
      ],
      [
        "select avg(value) from signals where gateway = 'bus-4' and signal = 'can0/Engine/Rpm'",
        ['/v1/query bus-4 can0/Engine/Rpm'],
      ],
    ];
    for (const [statement, requests] of cases)
      assert.deepEqual((await ask(cloud, statement)).requests, requests, statement);
  });

  it('goes on where a limit of the cloud ends an answer', async () => {
    await using strict = await recorded({ queryRowsMax: 7 });
    const { rows, requests } = await ask(
      strict,
      "select count(*), count(distinct time) from signals where gateway = 'bus-4'",
    );
    assert.deepEqual(rows, [[2 * seconds, seconds]]);
    assert.equal(requests.length, Math.ceil(seconds / 7));
  });

  it('says where no signal fits', async () => {
    const { rows, notes } = await ask(cloud, "select count(*) from signals where name = 'rpm'");
    assert.deepEqual(rows, [[0]]);
    assert.match(notes[0], /^no signal fits; "fleetlog signals/);
  });

  it('answers on the command line, in each format, and leaves nothing behind', async () => {
    await using folder = await tempFolder('sql-temp');
    const run = async (...parameters: string[]) =>
      ended(
        start('cloud/dist/cli/fleetlog-bin.js', ['sql', '--url', cloud.api.url, ...parameters], {
          TMPDIR: folder.path,
        }),
      );
    const statement =
      "select stream, count(*) as n from frames where gateway = 'bus-4' group by all order by all";
    const shown = await Promise.all([
      run(statement),
      run('--format', 'csv', statement),
      run('--json', statement),
      run("copy (from frames) to '" + join(folder.path, 'all.parquet') + "'"),
    ]);
    assert.deepEqual(
      shown.slice(0, 3).map(({ stdout }) => stdout.toString()),
      [
        'stream   n\ncan0    60\ncan1    60\n',
        'stream,n\ncan0,60\ncan1,60\n',
        '{"stream":"can0","n":60}\n{"stream":"can1","n":60}\n',
      ],
    );
    assert.deepEqual(
      shown.map(({ status }) => status),
      [0, 0, 0, 0],
    );
    assert.ok(existsSync(join(folder.path, 'all.parquet')));
    const wrong = await Promise.all([
      run('select 1; select 2'),
      run('selct 1'),
      run('from nowhere'),
      run('--format', 'xml', 'select 1'),
    ]);
    assert.deepEqual(
      wrong.map(({ status, stdout }) => [status, stdout.toString()]),
      wrong.map(() => [2, '']),
    );
    assert.match(wrong[1].stderr, /^fleetlog: Parser Error: .*near "selct"\n\nLINE 1: selct 1\n/);
    assert.deepEqual(readdirSync(folder.path), ['all.parquet']);
  });
});

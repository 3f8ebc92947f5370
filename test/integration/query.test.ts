import assert from 'node:assert/strict';
import type { ApiLimits } from '#cloud/api/context.js';
import type { Latest } from '#cloud/api/query-schemas.js';
import type { Signals } from '#cloud/api/signal-schemas.js';
import type { BatchFacts, BatchRange, Index } from '#cloud/index/index.js';
import { messageText } from '../support/dbc.js';
import { append, candumpBatches } from '../support/recorded.js';
import { ended, start } from '../support/run-command.js';
import { serveCloud, type ServingCloud } from '../support/serving-cloud.js';
import { until } from '../support/until.js';

const gateway = 'truck-17';
const epoch = '0011223344556677';
const engine =
  messageText(
    ['Rpm : 0|16@1+ (0.25,0) [0|0] "rpm" Node', 'Gear : 16|8@1+ (1,0) [0|0] "" Node'],
    'BO_ 256 Engine: 8 Node',
  ) + 'VAL_ 256 Gear 1 "first" 2 "second, or so" ;\n';
const later = engine.replace('(0.25,0)', '(1,100)');
const body = messageText(
  ['Door : 0|1@1+ (1,0) [0|0] "" Node', 'Gear : 8|8@1+ (1,0) [0|0] "" Node'],
  'BO_ 512 Body: 8 Node',
);

/** Seconds 1 to 6 on can0, in batches of two frames; one frame on can1 at second 2. */
async function recorded(
  limits: Partial<ApiLimits> = {},
  wrapIndex = (index: Index) => index,
): Promise<ServingCloud> {
  const cloud = await serveCloud({ limits, wrapIndex });
  const lines = [1, 2, 3, 4, 5, 6].map((second) => {
    const time = `(100000000${second}.000000)`;
    // Rpm is four times the second, raw 16 times; Gear 1 or 2.
    return `${time} can0 100#${(16 * second).toString(16)}000${1 + (second % 2)}0000000000\n`;
  });
  const can0 = candumpBatches(Buffer.from(lines.join('')), { gateway, epoch }, 2);
  const can1 = candumpBatches(Buffer.from('(1000000002.000000) can1 200#0107\n'), {
    gateway,
    epoch,
    stream: 'can1',
  });
  await append(cloud.log, [...can0, ...can1]);
  for (const [name, text] of Object.entries({ engine, later, body })) {
    const bytes = Buffer.from(text);
    await cloud.catalogue.add({ name, file: '', bytes, ignoreErrors: false, nowUs: 0 });
  }
  return cloud;
}

const assign = (
  { catalogue }: ServingCloud,
  stream: string,
  database: string,
  fromUs?: number,
  toUs?: number,
): Promise<void> =>
  catalogue.assign({ gateway, stream, database, version: undefined, fromUs, toUs }, { replace: false });

async function query({ api }: ServingCloud, parameters: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${api.url}/v1/query?gateway=${gateway}&${parameters}`);
  return { status: response.status, text: await response.text() };
}

const rows = ({ text }: { text: string }): string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.replaceAll('2001-09-09T01:46:4', '').replaceAll('.000000Z', ''));

describe('query', () => {
  it('gives every value by time, streams and signals side by side', async () => {
    await using cloud = await recorded();
    await assign(cloud, 'can0', 'engine');
    await assign(cloud, 'can1', 'body');
    assert.deepEqual(rows(await query(cloud, 'signal=Rpm&signal=Door&signal=can1/Body/Gear&to=1000000004')), [
      'time,Rpm,Door,can1/Body/Gear',
      '1,4,,',
      '2,8,1,7',
      '3,12,,',
    ]);
    const { text } = await query(cloud, 'signal=Rpm&signal=Door&format=ndjson&from=1000000002&to=1000000004');
    assert.deepEqual(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
      [
        { time: '2001-09-09T01:46:42.000000Z', Rpm: 8, Door: 1 },
        { time: '2001-09-09T01:46:43.000000Z', Rpm: 12 },
      ],
    );
  });

  it('writes the labels of values where they are wanted', async () => {
    await using cloud = await recorded();
    await assign(cloud, 'can0', 'engine');
    assert.deepEqual(rows(await query(cloud, 'signal=Gear&labels=true&to=1000000003')), [
      'time,Gear',
      '1,"second, or so"',
      '2,first',
    ]);
  });

  it('decodes each frame with the database that applies at its time, and old frames anew when that changes', async () => {
    await using cloud = await recorded();
    await assign(cloud, 'can0', 'engine', undefined, 1_000_000_003_000_000);
    await assign(cloud, 'can0', 'later', 1_000_000_004_000_000);
    const before = rows(await query(cloud, 'signal=Rpm'));
    assert.deepEqual(before, ['time,Rpm', '1,4', '2,8', '4,164', '5,180', '6,196']);
    await cloud.catalogue.unassign({
      gateway,
      stream: 'can0',
      database: 'later',
      fromUs: undefined,
      toUs: undefined,
    });
    assert.deepEqual(rows(await query(cloud, 'signal=Rpm')), ['time,Rpm', '1,4', '2,8']);
  });

  it('sums up in buckets, shows a gap as a gap, and gives each value a row where that is wanted', async () => {
    await using cloud = await recorded();
    await assign(cloud, 'can0', 'engine', undefined, 1_000_000_003_000_000);
    await assign(cloud, 'can0', 'later', 1_000_000_005_000_000);
    const of = (parameters: string): Promise<string[]> => query(cloud, `signal=Rpm&${parameters}`).then(rows);
    assert.deepEqual(await of('every=2s&agg=envelope'), [
      'time,Rpm.min,Rpm.max',
      '0,4,4',
      '2,8,8',
      '4,180,180',
      '6,196,196',
    ]);
    assert.deepEqual(await of('every=1s&agg=sum'), ['time,Rpm', '1,4', '2,8', '3,', '5,180', '6,196']);
    assert.equal((await of('every=1s&agg=count&gaps=fill')).length, 7);
    assert.deepEqual(await of('layout=long&to=1000000003'), ['time,signal,value', '1,Rpm,4', '2,Rpm,8']);
  });

  it('follows a vehicle from gateway to gateway', async () => {
    await using cloud = await recorded();
    await assign(cloud, 'can0', 'engine');
    await cloud.catalogue.mount({
      vehicle: 'Bus 1',
      gateway,
      fromUs: undefined,
      toUs: 1_000_000_003_000_000,
    });
    const answer = await fetch(`${cloud.api.url}/v1/query?vehicle=Bus+1&signal=Rpm`);
    assert.deepEqual(rows({ text: await answer.text() }), ['time,Rpm', '1,4', '2,8']);
  });

  it('tells the last value of each signal, however long ago it was said', async () => {
    await using cloud = await recorded();
    await assign(cloud, 'can0', 'engine', undefined, 1_000_000_003_000_000);
    await assign(cloud, 'can0', 'later', 1_000_000_005_000_000, 1_000_000_006_000_000);
    await assign(cloud, 'can1', 'body');
    const latest = async (parameters: string): Promise<unknown[]> => {
      const response = await fetch(`${cloud.api.url}/v1/latest?gateway=${gateway}&${parameters}`);
      const { signals, missing } = (await response.json()) as Latest;
      return [...signals.map(({ name, value, label }) => [name, value, label]), missing];
    };
    assert.deepEqual(await latest(''), [
      ['can0/Engine/Gear', 2, 'second, or so'],
      ['can0/Engine/Rpm', 180, undefined],
      ['can1/Body/Door', 1, undefined],
      ['can1/Body/Gear', 7, undefined],
      0,
    ]);
    assert.deepEqual(await latest('within=500ms&stream=can0'), [2]);
    const env = { FLEETLOG_URL: cloud.api.url };
    const command = ['latest', '--gateway', gateway, '--match', 'door'];
    const shown = await ended(start('cloud/dist/cli/fleetlog-bin.js', command, env));
    assert.match(shown.stdout.toString(), /^signal +value +unit +label +time\ncan1\/Body\/Door +1 +2001-/);
  });

  it('says which limit has ended an answer, and where to go on', async () => {
    await using cloud = await recorded();
    await assign(cloud, 'can0', 'engine');
    const env = { FLEETLOG_URL: cloud.api.url };
    const bin = 'cloud/dist/cli/fleetlog-bin.js';
    const command = ['query', '--gateway', gateway, '--signal', 'Rpm', '--format', 'csv'];
    const first = await ended(start(bin, [...command, '--limit', '2'], env));
    assert.equal(first.stdout.toString().split('\n').length, 4);
    assert.match(first.stderr, /these are the first 2 rows; the next row is of 2001-09-09T01:46:43\.000000Z/);
    assert.equal(first.status, 0);
    await using strict = await recorded({ queryTimeMsMax: 0 });
    await assign(strict, 'can0', 'engine');
    const cut = await ended(start(bin, command, { FLEETLOG_URL: strict.api.url }));
    assert.match(cut.stderr, /ends after the time that a query may take/);
    assert.equal(cut.status, 1);
  });

  it('stops its work when the client is gone', async () => {
    let opened = 0;
    await using cloud = await recorded(
      {},
      (index) =>
        Object.create(index, {
          // The same batches again and again, and nothing in them that is asked for.
          batches: {
            value: async function* (range: BatchRange): AsyncGenerator<BatchFacts> {
              for (;;) {
                for await (const facts of index.batches({ ...range, wants: undefined })) {
                  opened++;
                  yield { ...facts, firstTimeUs: range.fromUs };
                }
              }
            },
          },
        }) as Index,
    );
    await assign(cloud, 'can0', 'body');
    const client = new AbortController();
    const { signal } = client;
    const answer = fetch(`${cloud.api.url}/v1/query?gateway=${gateway}&signal=Door`, { signal });
    await until('the query is at work', () => opened > 500);
    client.abort();
    await assert.rejects(answer);
    let before = -1;
    await until('it has ended', () => before === (before = opened));
  });

  it('refuses more buckets than an answer may have rows', async () => {
    await using cloud = await recorded({ queryRowsMax: 100 });
    await assign(cloud, 'can0', 'engine');
    const answer = await query(cloud, 'signal=Rpm&every=10ms&gaps=fill');
    assert.equal(answer.status, 400);
    assert.match(answer.text, /That would be 501 rows of 10ms, and the limit is 100; choose longer buckets/);
  });

  it('says which stream has no database', async () => {
    await using cloud = await recorded();
    await assign(cloud, 'can0', 'engine');
    const answer = await query(cloud, 'signal=can1/Engine/Rpm');
    assert.equal(answer.status, 404);
    assert.match(answer.text, /to truck-17 can1; .*--gateway truck-17 --stream can1 --database N/);
  });

  const wrong: [string, string, number, RegExp][] = [
    ['a gateway and a vehicle', 'signal=Rpm&vehicle=X', 400, /either which gateway or which vehicle/],
    ['buckets of no length', 'signal=Rpm&every=0s', 400, /isn't a length of time; write a number and us, ms/],
    ['an aggregate of nothing', 'signal=Rpm&agg=min', 400, /Say so with every/],
    ['an unknown signal, with the nearest names', 'signal=Rmp', 404, /no signal Rmp; there are Rpm, /],
    [
      'an ambiguous name, with the candidates',
      'signal=Gear',
      400,
      /may be can0\/Engine\/Gear, can1\/Body\/Gear; say which/,
    ],
    ['an empty range', 'signal=Rpm&from=2026-01-02&to=2026-01-01', 400, /range is empty/],
    ['a signal of no name', 'signal=', 400, /Signal/],
  ];
  for (const [what, parameters, status, message] of wrong) {
    it(`refuses ${what}`, async () => {
      await using cloud = await recorded();
      await assign(cloud, 'can0', 'engine');
      await assign(cloud, 'can1', 'body');
      const answer = await query(cloud, parameters);
      assert.equal(answer.status, status);
      assert.match(answer.text, message);
    });
  }

  it('says what to do where no database is assigned', async () => {
    await using cloud = await recorded();
    const answer = await query(cloud, 'signal=Rpm');
    assert.equal(answer.status, 404);
    assert.match(answer.text, /No database is assigned to truck-17; /);
  });

  it('lists signals, and says how many identifiers of the traffic a database describes', async () => {
    await using cloud = await recorded();
    await assign(cloud, 'can0', 'engine');
    await assign(cloud, 'can0', 'body');
    const response = await fetch(`${cloud.api.url}/v1/signals?gateway=${gateway}&match=engine`);
    const { databases, signals } = (await response.json()) as Signals;
    assert.deepEqual(
      databases.map(({ database, identifiers, identifiersKnown }) => [
        database,
        identifiers,
        identifiersKnown,
      ]),
      [
        ['body', 1, 0],
        ['engine', 1, 1],
      ],
    );
    assert.deepEqual(
      signals.map(({ name, unit, labels }) => [name, unit, labels]),
      [
        ['can0/Engine/Rpm', 'rpm', 0],
        ['can0/Engine/Gear', '', 2],
      ],
    );
  });

  it('answers on the command line as a table', async () => {
    await using cloud = await recorded();
    await assign(cloud, 'can0', 'engine');
    const env = { FLEETLOG_URL: cloud.api.url };
    const bin = 'cloud/dist/cli/fleetlog-bin.js';
    const shown = await ended(
      start(bin, ['query', '--gateway', gateway, '--signal', 'Rpm', 'Gear', '--to', '1000000002'], env),
    );
    assert.equal(
      shown.stdout.toString(),
      'time                                  Rpm          Gear\n2001-09-09T01:46:41.000000Z             4             2\n',
    );
    const wrong = ['assign', '--gateway', gateway, '--stream', 'can1', '--database', 'engine'];
    const assigned = await ended(start(bin, wrong, env));
    assert.match(
      assigned.stdout.toString(),
      /on can1: describes 0 of 1 identifiers seen; it does not fit this traffic\n/,
    );
    await cloud.catalogue.unassign({
      gateway,
      stream: 'can1',
      database: 'engine',
      fromUs: undefined,
      toUs: undefined,
    });
    const listed = await ended(start(bin, ['signals', '--gateway', gateway], env));
    assert.match(
      listed.stdout.toString(),
      /2 signals\nengine [0-9a-f]{12} on can0: describes 1 of 1 identifiers seen\n/,
    );
    const none = await ended(
      start(bin, ['query', '--gateway', gateway, '--signal', 'Rpm', '--from', '2020-01-01'], env),
    );
    assert.deepEqual([none.status, none.stderr], [0, 'fleetlog: no values in this range.\n']);
  });
});

import assert from 'node:assert/strict';
import type { Signals } from '#cloud/api/signal-schemas.js';
import { messageText } from '../support/dbc.js';
import { append, candumpBatches } from '../support/recorded.js';
import { ended, start } from '../support/run-command.js';
import { serveCloud, type ServingCloud } from '../support/serving-cloud.js';

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
async function recorded(): Promise<ServingCloud> {
  const cloud = await serveCloud();
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

  const wrong: [string, string, number, RegExp][] = [
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

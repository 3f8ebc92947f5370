import assert from 'node:assert/strict';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { Catalogue } from '#cloud/signals/catalogue/index.js';
import type { Assignments, Databases, Vehicles } from '#cloud/api/catalogue-schemas.js';
import { messageText } from '../support/dbc.js';
import { append, canBatch } from '../support/recorded.js';
import { ended, start, type Ended } from '../support/run-command.js';
import { serveCloud, type ServingCloud } from '../support/serving-cloud.js';
import { tempFolder } from '../support/temp-folder.js';

const run = ({ api }: ServingCloud, ...parameters: string[]): Promise<Ended> =>
  ended(start('cloud/dist/cli/fleetlog-bin.js', parameters, { FLEETLOG_URL: api.url }));
const engine = messageText(['Rpm : 0|16@1+ (0.25,0) [0|0] "rpm" Node'], 'BO_ 256 Engine: 8 Node');
const body = messageText(['Door : 0|1@1+ (1,0) [0|0] "" Node'], 'BO_ 512 Body: 8 Node');

async function request<T>({ api }: ServingCloud, method: string, path: string, content?: string): Promise<T> {
  const response = await fetch(`${api.url}${path}`, {
    method,
    ...(content !== undefined && { body: content, headers: { 'content-type': 'application/octet-stream' } }),
  });
  return (await response.json()) as T;
}

const add = (
  cloud: ServingCloud,
  name: string,
  text: string,
): Promise<{ isNew?: boolean; message?: string }> =>
  request(cloud, 'POST', `/v1/databases?name=${name}`, text);

const assign = (cloud: ServingCloud, more: string): Promise<Partial<Assignments> & { message?: string }> =>
  request(cloud, 'POST', `/v1/assignments?gateway=truck-17&stream=can0&${more}`);

describe('databases and assignments', () => {
  it('keeps a database by content, and each change as a version', async () => {
    await using cloud = await serveCloud();
    assert.equal((await add(cloud, 'truck', engine)).isNew, true);
    assert.equal((await add(cloud, 'truck', engine)).isNew, false);
    assert.equal((await add(cloud, 'truck', body)).isNew, true);
    const { databases } = await request<Databases>(cloud, 'GET', '/v1/databases');
    assert.deepEqual(
      databases.map(({ name, versions }) => ({ name, versions })),
      [
        { name: 'truck', versions: 2 },
        { name: 'obd2', versions: 1 },
      ],
    );
    const [older] = cloud.catalogue.databases[0].versions;
    const { database } = await cloud.catalogue.load('truck', older.hash.slice(0, 8));
    assert.equal(database.messages[0].name, 'Engine');
  });

  it('has everything again after a restart, and says which file is damaged', async () => {
    await using folder = await tempFolder('catalogue');
    const first = await Catalogue.open(folder.path);
    const bytes = Buffer.from(engine);
    await first.add({ name: 'truck', file: 'truck.dbc', bytes, ignoreErrors: false, nowUs: 1 });
    const assignment = { gateway: 'g', stream: 'can0', database: 'truck', version: undefined };
    await first.assign({ ...assignment, fromUs: 5, toUs: undefined }, { replace: false });
    await first.mount({ vehicle: 'Bus 4', gateway: 'g', fromUs: undefined, toUs: 9 });
    const second = await Catalogue.open(folder.path);
    assert.deepEqual(second.databases, first.databases);
    assert.deepEqual(second.assignments, first.assignments);
    assert.deepEqual(second.mounts, first.mounts);
    const [{ hash }] = second.databases[0].versions;
    await appendFile(join(folder.path, 'databases', `${hash}.dbc`), 'x');
    await assert.rejects(
      second.load('truck'),
      (error) => isFleetlogError(error, 'FLEETLOG_STORE') && error.message.includes(`${hash}.dbc is damaged`),
    );
    await writeFile(join(folder.path, 'catalogue.json'), '{"format": 2}');
    await assert.rejects(Catalogue.open(folder.path), (error) => isFleetlogError(error, 'FLEETLOG_STORE'));
  });

  it('lets nobody change the database that it comes with', async () => {
    await using cloud = await serveCloud();
    assert.match((await add(cloud, 'obd2', engine)).message ?? '', /obd2 comes with Fleetlog/);
    assert.equal((await assign(cloud, 'database=obd2')).assignments?.length, 1);
  });

  it('lets databases of different identifiers apply together, and refuses two meanings of one', async () => {
    await using cloud = await serveCloud();
    await add(cloud, 'engine', engine);
    await add(cloud, 'body', body);
    await add(cloud, 'engine2', engine);
    assert.equal((await assign(cloud, 'database=engine')).assignments?.length, 1);
    assert.equal((await assign(cloud, 'database=body&from=2026-01-01')).assignments?.length, 2);
    const refused = await assign(cloud, 'database=engine2&from=2026-01-01');
    assert.match(refused.message ?? '', /engine applies to truck-17 can0 always .*\(100\); give a validity/);
    const { assignments } = await assign(
      cloud,
      'database=engine2&from=2026-01-01&to=2026-02-01&replace=true',
    );
    assert.deepEqual(
      assignments?.map(({ database, from = '', to = '' }) => [database, from.slice(0, 10), to.slice(0, 10)]),
      [
        ['body', '2026-01-01', ''],
        ['engine', '', '2026-01-01'],
        ['engine', '2026-02-01', ''],
        ['engine2', '2026-01-01', '2026-02-01'],
      ],
    );
    const empty = await assign(cloud, 'database=engine&from=2026-01-01&to=2026-01-01');
    assert.match(empty.message ?? '', /validity is empty/);
    assert.match((await assign(cloud, 'database=nothing')).message ?? '', /no database nothing/);
  });

  it('moves a gateway to another vehicle at a moment', async () => {
    await using cloud = await serveCloud();
    const mount = (query: string): Promise<Partial<Vehicles> & { message?: string }> =>
      request(cloud, 'POST', `/v1/vehicles?gateway=bus-4&${query}`);
    await mount('vehicle=Bus%204');
    const { vehicles } = await mount('vehicle=Bus%205&from=2026-01-01');
    assert.deepEqual(
      vehicles?.map(({ vehicle, from = '', to = '' }) => [vehicle, from.slice(0, 10), to.slice(0, 10)]),
      [
        ['Bus 4', '', '2026-01-01'],
        ['Bus 5', '2026-01-01', ''],
      ],
    );
    assert.match(
      (await mount('vehicle=Bus%206&from=2025-01-01')).message ?? '',
      /bus-4 is in Bus 4 until 2026/,
    );
  });

  it('names what is most alike where a database, or a stream of which nothing has come, may be misspelt', async () => {
    await using cloud = await serveCloud();
    await add(cloud, 'truck', engine);
    const assigned = (more: string): Promise<Ended> =>
      run(cloud, ...`assign --gateway truck-17 ${more}`.split(' '));
    const early = await assigned('--stream can0 --database truck');
    assert.match(early.stdout.toString(), /no traffic yet\n$/);
    await append(cloud.log, [canBatch([1_500_000_000_000_000], { gateway: 'truck-17', stream: 'can0' })]);
    const typo = await assigned('--stream cna0 --database truck');
    assert.equal(typo.status, 0);
    assert.match(
      typo.stdout.toString(),
      /\nNothing has come of truck-17 cna0 so far; there are truck-17 can0\.\n$/,
    );
    const right = await assigned('--stream can0 --database truck --replace');
    assert.doesNotMatch(right.stdout.toString(), /Nothing has come/);
    const wrong = await assigned('--stream can0 --database trukc');
    assert.notEqual(wrong.status, 0);
    assert.equal(wrong.stderr, 'fleetlog: There is no database trukc; there are truck, obd2.\n');
  });

  it('tells on the command line what is wrong with a file, by line and column', async () => {
    await using cloud = await serveCloud();
    await using folder = await tempFolder('dbc');
    const path = join(folder.path, 'truck.dbc');
    await writeFile(path, `${engine}BO_ 1 Broken: 8 Node\n SG_ A : x\n`);
    const refused = await run(cloud, 'databases', 'add', path);
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /1 error \(9:10: Here must be a signal's start bit, not "x"\.\); mend it/);
    const taken = await run(cloud, 'databases', 'add', path, '--ignore-errors');
    assert.equal(taken.status, 0);
    assert.match(
      taken.stdout.toString(),
      /truck\.dbc:9:10: error: .*\ntruck [0-9a-f]{12}: 2 messages, 1 signals, 1 errors/,
    );
    const shown = await run(cloud, 'databases', 'show', 'truck', '--message', '0x100');
    assert.match(shown.stdout.toString(), /Rpm +0\|16 little-endian +unsigned +0\.25 +0 +rpm/);
    const assigned = await run(cloud, 'assign', '--gateway', 'g', '--stream', 'can0', '--database', 'truck');
    assert.match(assigned.stdout.toString(), /g +can0 +truck +current +- +-/);
    const removed = await run(
      cloud,
      'assign',
      '--gateway',
      'g',
      '--stream',
      'can0',
      '--database',
      'truck',
      '--remove',
    );
    assert.match(removed.stdout.toString(), /No database is assigned/);
  });
});

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CanFrames, encodeCan } from '@fleetlog/shared/can';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import type { Storage } from '#cloud/api/storage-schemas.js';
import { openLog } from '#cloud/log/rocksdb-log.js';
import { Catalogue } from '#cloud/signals/catalogue/index.js';
import { seal } from '../support/batches.js';
import { CloudProcess } from '../support/cloud-process.js';
import { messageText } from '../support/dbc.js';
import { randomOf } from '../support/generate-frames.js';
import { append } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const gateway = 'truck-17';
const stream = 'can0';
const startUs = Date.UTC(2026, 10, 5, 10, 40, 7) * 1000;
const minutes = 90;
const seed = Number(process.env['FLEETLOG_SEED'] ?? Date.now() % 1_000_000);
const rounds = 4;
/** ms from when it serves to when it is killed, at most. */
const livesMs = 1500;

/** A batch every ten seconds. */
function batch(sequence: number): Uint8Array {
  const frames = new CanFrames();
  const bus = frames.busIndex('can0');
  for (let i = 0; i < 100; i++) {
    const data = Uint8Array.of((sequence * 37 + i * 11) & 255, (sequence >> 3) & 255, i, sequence);
    frames.append(startUs + sequence * 10_000_000 + i * 99_000, 256 + (i % 3), 0, 4, bus, data, 0, 4);
  }
  return seal(encodeCan(frames), { gateway, stream, sequence });
}

/** The folder of a cloud that holds a stream with a database. */
async function prepare(data: string): Promise<void> {
  await using log = await openLog({ path: join(data, 'log'), logger: silentLogger, clock: systemClock });
  await append(
    log,
    Array.from({ length: minutes * 6 }, (_, sequence) => batch(sequence)),
    { gateway },
  );
  const catalogue = await Catalogue.open(join(data, 'catalogue'));
  const text = messageText(['Tenths : 0|16@1+ (0.1,0) [0|0] "" X'], 'BO_ 256 M: 4 X');
  await catalogue.add({ name: 'd', file: '', bytes: Buffer.from(text), ignoreErrors: false, nowUs: 0 });
  const always = { version: undefined, fromUs: undefined, toUs: undefined };
  await catalogue.assign({ gateway, stream, database: 'd', ...always }, { replace: false });
}

const questions = ['', '&every=1m&agg=sum', '&every=1h&agg=mean', '&every=7s&agg=envelope'];

const answers = ({ httpUrl }: CloudProcess): Promise<string[]> =>
  Promise.all(
    questions.map(async (more) => {
      const response = await fetch(`${httpUrl}/v1/query?gateway=${gateway}&signal=Tenths${more}`);
      assert.equal(response.status, 200);
      return response.text();
    }),
  );

const storage = async ({ httpUrl }: CloudProcess): Promise<Storage> =>
  (await (await fetch(`${httpUrl}/v1/storage`)).json()) as Storage;

describe('what a cloud keeps beside its log', () => {
  it(`changes no answer when the cloud is killed while it is made: seed ${seed}`, async () => {
    const random = randomOf(seed);
    await using folder = await tempFolder('kept');
    const data = join(folder.path, 'data');
    await prepare(data);
    const config = join(folder.path, 'bare.yaml');
    await writeFile(config, 'rollups: { budget: 0B }\ncolumns: { budget: 0B }\n');
    let expected: string[];
    {
      await using bare = await CloudProcess.serve(data, '--config', config);
      expected = await answers(bare);
      assert.equal((await storage(bare)).uses.columnsBytes, 0);
    }
    assert.ok(expected.every((text) => text.split('\n').length > 3));
    for (let round = 0; round < rounds; round++) {
      await using cloud = await CloudProcess.serve(data);
      // Sums are made by who asks, minutes meanwhile.
      const asked = answers(cloud).then(
        (found) => assert.deepEqual(found, expected),
        (error: unknown) => {
          if (!(error instanceof TypeError)) throw error; // killed in the middle
        },
      );
      await pause(livesMs * random());
      await cloud.kill('SIGKILL');
      await asked;
    }
    await using cloud = await CloudProcess.serve(data);
    assert.deepEqual(await answers(cloud), expected);
    await until('minutes are kept', async () => (await storage(cloud)).uses.columnsBytes > 100_000);
    assert.deepEqual(await answers(cloud), expected);
    assert.ok((await storage(cloud)).uses.rollupsBytes > 0);
  });
});

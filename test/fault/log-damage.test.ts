import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import { RangeSet, systemClock } from '@fleetlog/shared/util';
import { openIndex } from '#cloud/index/index.js';
import { heldKey, heldNote } from '#cloud/ingest/held.js';
import { verify, type VerifyEvent } from '#cloud/integrity/verify.js';
import type { Log } from '#cloud/log/log.js';
import { openLog } from '#cloud/log/rocksdb-log.js';
import { keeping } from '../support/keeping.js';
import { all } from '../support/collect.js';
import { FakeFleet } from '../support/fake-fleet.js';
import { lineBatch } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const parts = { logger: silentLogger, clock: systemClock };
const gateway = 'truck-17';
const epoch = '0011223344556677';
const batches = 600;
const flipsMax = 6;
const seed = 7;

type Problem = Extract<VerifyEvent, { event: 'problem' }>;

const open = (folder: string): Promise<Log> =>
  openLog({ path: join(folder, 'log'), partitions: 1, writeBufferBytes: 128 * 1024, ...parts });

/** Batches of some 3 KB, whose values are in blob files, and of 300 bytes, whose values are in tables. */
function batchOf(sequence: number): Uint8Array {
  const lines = Array.from({ length: sequence % 2 === 0 ? 40 : 3 }, (_, i) => ({
    timeUs: 1_700_000_000_000_000 + sequence * 1_000_000 + i * 1000,
    text: `${createHash('sha512').update(`${sequence}/${i}`).digest('base64')}\n`,
  }));
  return lineBatch(lines, { gateway, epoch, sequence });
}

async function fill(log: Log): Promise<void> {
  for (let first = 0; first < batches; first += 20) {
    const entries = Array.from({ length: 20 }, (_, i) => ({
      partition: 0,
      receiveTimeUs: 1000,
      bytes: batchOf(first + i),
    }));
    const held = new RangeSet([[0, first + 19]]);
    await log.append(entries, [heldNote(heldKey({ gateway, epoch, stream: 'gps0' }), held)]);
  }
}

async function checked(folder: string, log: Log): Promise<VerifyEvent[]> {
  await using index = await openIndex({ log, path: join(folder, 'index'), ...parts });
  const fleet = new FakeFleet();
  fleet.sequences = [{ gateway, epoch, stream: 'gps0', held: new RangeSet([[0, batches - 1]]) }];
  await using kept = await keeping(log, index);
  return await all(verify({ log, index, fleet, ...kept }, AbortSignal.timeout(60_000)));
}

const problemsOf = (events: VerifyEvent[]): Problem[] => events.filter((one) => one.event === 'problem');

describe(`a log with damaged files, seed ${seed}`, () => {
  it('one flipped bit in a table or blob file is found by its offset, and all others are read as written', async () => {
    await using folder = await tempFolder('damage');
    const files = (): string[] =>
      readdirSync(join(folder.path, 'log'))
        .filter((name) => /\.(sst|blob)$/.test(name))
        .sort();
    {
      await using log = await open(folder.path);
      await fill(log);
      await until(
        'tables and values are in files',
        () => files().filter((f) => f.endsWith('.sst')).length >= 2,
        30_000,
      );
      const events = await checked(folder.path, log);
      const result = events.at(-1);
      assert.deepEqual(problemsOf(events), []);
      assert.ok(result?.event === 'result' && result.batches === batches && result.streams === 1);
    }
    let found = 0;
    let random = seed;
    const names = files();
    const flips = Math.min(flipsMax, names.length);
    for (let i = 0; i < flips; i++) {
      const name = names[Math.floor((i * names.length) / flips)];
      random = (random * 48_271) % 0x7fff_ffff;
      // A copy: an opened log throws files away that it needs no longer.
      await using copy = await tempFolder('damaged');
      await cp(folder.path, copy.path, { recursive: true });
      const path = join(copy.path, 'log', name);
      const bytes = readFileSync(path);
      bytes[random % Math.floor(bytes.length * 0.9)] ^= 1 << (random % 8);
      writeFileSync(path, bytes);
      found += await damaged(copy.path, name);
    }
    assert.ok(found >= flips / 2, `${found} of ${flips} flips were in what is read`);
  });

  it('says which batches the index and the log do not agree on, and what gateways were told and is not there', async () => {
    await using folder = await tempFolder('damage');
    await using log = await open(folder.path);
    await fill(log);
    await using index = await openIndex({ log, path: join(folder.path, 'index'), ...parts });
    await index.caughtUp(AbortSignal.timeout(30_000));
    const fleet = new FakeFleet();
    fleet.sequences = [{ gateway, epoch, stream: 'gps0', held: new RangeSet([[0, batches + 9]]) }];
    const another = new Proxy(index, {
      get(target, name) {
        if (name !== 'batches') return Reflect.get(target, name).bind(target) as unknown;
        return async function* (range: Parameters<typeof index.batches>[0]) {
          for await (const facts of target.batches(range)) if (facts.sequence !== 5) yield facts;
        };
      },
    });
    await using kept = await keeping(log, index);
    const problems = problemsOf(
      await all(verify({ log, index: another, fleet, ...kept }, AbortSignal.timeout(60_000))),
    );
    assert.deepEqual(
      problems.map(({ kind, stream }) => [kind, stream]),
      [
        ['index', 'gps0'],
        ['ranges', 'gps0'],
      ],
    );
    assert.match(problems[1].detail, new RegExp(`sequences ${batches} to ${batches + 9} `));
  });
});

/** 1 where the damage was found; 0 where the flipped bit holds nothing that anybody reads. */
async function damaged(folder: string, name: string): Promise<number> {
  let log: Log;
  try {
    log = await open(folder);
  } catch (error) {
    assert.ok(isFleetlogError(error), `${name}: ${String(error)}`);
    return 1; // it says so at the start
  }
  try {
    const readable = new Set<number>();
    for await (const { offset, bytes } of log.read(0, 0)) {
      assert.ok(Buffer.from(batchOf(offset)).equals(bytes), `${name}: offset ${offset} is altered`);
      readable.add(offset);
    }
    const problems = problemsOf(await checked(folder, log));
    const told = new RangeSet();
    for (const { first, last } of problems) if (first !== undefined) told.add(first, last);
    for (let offset = 0; offset < batches; offset++) {
      assert.equal(told.has(offset), !readable.has(offset), `${name}: offset ${offset}`);
    }
    if (problems.length > 0)
      assert.ok(readable.size > batches / 2, `${name}: only ${readable.size} are readable`);
    return problems.length > 0 ? 1 : 0;
  } finally {
    await log[Symbol.asyncDispose]();
  }
}

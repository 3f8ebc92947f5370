import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Cloud } from '../support/chaos/cloud.js';
import { Gateway } from '../support/chaos/gateway.js';
import { accountOf } from '../support/damage/account.js';
import { cutFile, filesOf, flipBit, removeFile } from '../support/damage/damage.js';
import { distinctFrames } from '../support/damage/recording.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const frameCount = 40_000;
const framesPerBatch = 200;
/** Two seconds: many commits, so that one damaged commit is a small part, and the write buffer is full often. */
const pace = 20;
/** Nobody listens there. */
const nowhere = 'mqtt://127.0.0.1:9';

const garbage = 'garbage '.repeat(1000);

/** Also where a socket was. */
async function asFile(path: string, text: string): Promise<void> {
  await rm(path, { force: true });
  await writeFile(path, text);
}

/** As a file system comes back that was repaired badly. */
async function asFolder(path: string): Promise<void> {
  await rm(path, { force: true, recursive: true });
  await mkdir(path);
  await writeFile(join(path, 'something'), garbage);
}

/** Files that are only there for RocksDB and people, and those beside the database. */
async function ofAll(database: string, damage: (path: string) => Promise<unknown>): Promise<void> {
  const beside = ['buffer.ballast', 'buffer.opening', 'traffic.json', 'traffic.json.new', 'control.sock'];
  for (const path of await filesOf(database, /^(OPTIONS|IDENTITY|LOCK|LOG)/)) await damage(path);
  for (const name of beside) await damage(join(database, '..', name));
}

type Damage = (database: string) => Promise<unknown>;

/** With FLEETLOG_DAMAGE=long; see `damages`. */
const rarerDamages: [string, number, Damage][] = [
  ['a bit in the older slot of the mark', 0, async (d) => flipBit(`${d}.mark`, 0.999)],
  ['the mark a folder', 0, async (d) => asFolder(`${d}.mark`)],
  ['a write-ahead log a folder', 1, async (d) => asFolder((await filesOf(d, /\.log$/)).at(-1)!)],
  ['a table a folder', 0, async (d) => asFolder((await filesOf(d, /\.sst$/))[0])],
  ['a file of values garbage', 1, async (d) => writeFile((await filesOf(d, /\.blob$/))[0], garbage)],
  ['a file of values a folder', 1, async (d) => asFolder((await filesOf(d, /\.blob$/))[0])],
  ['CURRENT a folder', 0, async (d) => asFolder(join(d, 'CURRENT'))],
  ['the MANIFEST a folder', 0, async (d) => asFolder((await filesOf(d, /^MANIFEST/))[0])],
  ['the MANIFEST garbage', 0, async (d) => writeFile((await filesOf(d, /^MANIFEST/))[0], garbage)],
  ['all that no batch is in empty', 0, (d) => ofAll(d, (path) => asFile(path, ''))],
  ['all that no batch is in gone', 0, (d) => ofAll(d, (path) => rm(path, { force: true }))],
];

/**
 * What happens to the database's folder, and the share of records that may be lost by it. Where a commit is hit, the
 * share has room for the commits of a machine that stands still for a second.
 */
const damages: [string, number, Damage][] = [
  [
    'a bit in the middle of the write-ahead log',
    0.75,
    async (d) => flipBit((await filesOf(d, /\.log$/)).at(-1)!, 0.5),
  ],
  ['a write-ahead log cut to a half', 0.9, async (d) => cutFile((await filesOf(d, /\.log$/)).at(-1)!, 0.5)],
  ['a write-ahead log deleted', 1, async (d) => removeFile((await filesOf(d, /\.log$/)).at(-1)!)],
  ['a bit in a file of values', 0.01, async (d) => flipBit((await filesOf(d, /\.blob$/))[0], 0.5)],
  ['a bit in a table', 0, async (d) => flipBit((await filesOf(d, /\.sst$/))[0], 0.3)],
  ['the MANIFEST cut', 0, async (d) => cutFile((await filesOf(d, /^MANIFEST/))[0], 0.5)],
  ['CURRENT empty', 0, async (d) => cutFile(join(d, 'CURRENT'), 0)],
  ['the mark gone', 0, async (d) => removeFile(`${d}.mark`)],
  ['a bit in the mark', 0, async (d) => flipBit(`${d}.mark`, 0)],
  ['the mark garbage', 0, async (d) => writeFile(`${d}.mark`, garbage)],
  ['all that no batch is in garbage', 0, (d) => ofAll(d, (path) => asFile(path, garbage))],
  ['all that no batch is in folders', 0, (d) => ofAll(d, asFolder)],
  ['DAMAGED a folder', 0, async (d) => asFolder(join(d, 'DAMAGED'))],
  ['the whole database gone', 1, async (d) => rm(d, { recursive: true })],
  ...(process.env['FLEETLOG_DAMAGE'] === 'long' ? rarerDamages : []),
];

describe('a gateway whose buffer was damaged while it was off', function () {
  this.timeout(300_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let cloud: Cloud;

  let gateways: Gateway[];
  const url = (): string => `mqtt://127.0.0.1:${cloud.mqttPort}`;

  /** A gateway without a cloud that has its recording in the buffer and is killed then. */
  async function filled(index: number): Promise<Gateway> {
    const gateway = await Gateway.prepare(
      `damaged-${index}`,
      join(folder.path, `g${index}`),
      [distinctFrames(frameCount)],
      {
        url: nowhere,
        batch: { records: framesPerBatch },
        buffer: { writeBuffer: '64KiB' },
        pace: () => pace,
      },
    );
    gateway.command.start();
    await gateway.command.says(/records read \(100 %\)/, 120_000);
    await until(
      'files of each kind are there',
      async () => {
        const database = join(gateway.dataFolder, 'buffer');
        const kinds = await Promise.all([/\.log$/, /\.blob$/, /\.sst$/].map((end) => filesOf(database, end)));
        return kinds.every((files) => files.length > 0);
      },
      60_000,
    );
    await gateway.command.kill();
    return gateway;
  }

  before(async () => {
    folder = await tempFolder('gateway-damage');
    cloud = new Cloud(join(folder.path, 'cloud'));
    await cloud.start();
    gateways = [];
    for (let i = 0; i < damages.length; i += 5) {
      const group = damages.slice(i, i + 5).map((_, j) => filled(i + j));
      gateways.push(...(await Promise.all(group)));
    }
  });
  after(async () => {
    await cloud.command.kill();
    await folder[Symbol.asyncDispose]();
  });

  for (const [index, [what, share, damage]] of damages.entries()) {
    it(`starts, sends what is readable and explains the rest: ${what}`, async () => {
      const gateway = gateways[index];
      await damage(join(gateway.dataFolder, 'buffer'));
      await writeFile(
        gateway.configPath,
        (await readFile(gateway.configPath, 'utf8')).replace(nowhere, url()),
      );
      gateway.command.start();
      await gateway.drained(120_000);
      const account = await accountOf(cloud, gateway.expectations[0]);
      const gaps = await cloud.gaps(gateway.id);
      const { log } = gateway.command;
      assert.equal(gaps, undefined, log);
      assert.equal(account.unexplained, 0, log);
      const lostMost = frameCount * share;
      assert.ok(account.explained <= lostMost, `${account.explained} of ${frameCount} are lost\n${log}`);
    });
  }
});

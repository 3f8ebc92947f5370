import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from '../support/chaos/process.js';
import { generatedRecordings } from '../support/chaos/recordings.js';

const main = fileURLToPath(import.meta.resolve('#sim/demo/main.js'));

describe('npm start', function () {
  this.timeout(90_000);
  let folder: string;
  let demos: Command[];

  beforeEach(async () => {
    demos = [];
    folder = await mkdtemp(join(tmpdir(), 'fleetlog-demo-'));
  });
  afterEach(async function () {
    for (const demo of demos) {
      await demo.stop();
      if (this.currentTest?.state === 'failed') console.log(demo.log);
    }
    await rm(folder, { recursive: true, force: true });
  });

  function start(...args: string[]): Command {
    const demo = new Command('demo', main, ['--data', folder, ...args]);
    demos.push(demo);
    demo.start();
    return demo;
  }
  const anyPorts = ['--mqtt', '0', '--http', '0'];

  it('brings invented vehicles into the log with what their frames mean, and goes on at the next start', async () => {
    for (let time = 0; time < 2; time++) {
      const demo = start(...anyPorts, '--seconds', '8');
      const { status } = await demo.ended(60_000);
      assert.equal(status, 0, demo.log);
      assert.match(demo.log, /Every gateway got its data through, and nothing is missing/);
      for (const id of ['taxi-1', 'courier-2', 'truck-17', 'van-8'])
        assert.match(demo.log, new RegExp(`${id}: [\\d,]+ frames/s`));
      assert.match(demo.log, /npx fleetlog tail --url http:\S+ --gateway taxi-1/);
    }
    // It has ended, and what it was told stays.
    assert.ok((await readdir(join(folder, 'cloud', 'catalogue'))).length > 0);
  });

  it('feeds recordings, says when all are in the log, and ends at Ctrl-C within 5 s', async () => {
    const [can, gps] = generatedRecordings(1, 2);
    const paths = [join(folder, 'Drive 1.log'), join(folder, 'ride.nmea')];
    await writeFile(paths[0], can.bytes);
    await writeFile(paths[1], gps.bytes);
    const demo = start(...anyPorts, ...paths);
    await demo.says(/All recordings are in the log/, 60_000);
    assert.match(demo.log, /drive-1: can0 ← Drive 1\.log/);
    assert.match(demo.log, /ride: lines0 ← ride\.nmea/);
    const processes = await childrenOf(demo);
    demo.signal('SIGINT');
    const { status } = await demo.ended(5000);
    assert.equal(status, 0);
    await assertGone(processes);
  });

  it('passes on the sentence of a cloud whose port is taken, and leaves nothing running', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const demo = start('--mqtt', String(port), '--http', '0');
    const { status } = await demo.ended(30_000);
    server.close();
    assert.equal(status, 1);
    assertOneSentence(demo.log, new RegExp(String(port)));
  });

  it('refuses a folder that another demo uses with a sentence', async () => {
    const first = start(...anyPorts);
    await first.says(/API at/);
    const second = start(...anyPorts);
    assert.equal((await second.ended(30_000)).status, 1);
    assertOneSentence(second.log, /in use|already|another/i);
    assert.ok(first.running);
  });

  it('refuses a recording that does not exist', async () => {
    const demo = start(...anyPorts, join(folder, 'nowhere.candump'));
    assert.equal((await demo.ended(30_000)).status, 2);
    assertOneSentence(demo.log, /nowhere\.candump doesn't exist/);
  });

  it('leaves no process behind when it is killed with -9', async function () {
    const demo = start(...anyPorts);
    await demo.says(/truck-17: can0/);
    const processes = await childrenOf(demo);
    if (processes.length === 0) return this.skip(); // no /proc
    assert.ok(processes.length >= 5, 'cloud, three gateways, and who ends them');
    await demo.kill();
    await assertGone(processes);
    return undefined;
  });
});

async function childrenOf({ pid }: Command): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.trim().split(/\s+/).filter(Boolean).map(Number);
}

async function assertGone(pids: readonly number[]): Promise<void> {
  const untilMs = Date.now() + 10_000;
  const alive = (): number[] => pids.filter((pid) => isAlive(pid));
  while (alive().length > 0 && Date.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(alive(), []);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function assertOneSentence(log: string, pattern: RegExp): void {
  const sentences = log.split('\n').filter((line) => line.startsWith('npm start'));
  assert.equal(sentences.length, 1, log);
  assert.match(sentences[0], pattern);
  assert.doesNotMatch(log, /^ {4}at /m);
}

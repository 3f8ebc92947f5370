import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Prng } from '#sim/vehicle/prng.js';
import { checkCloud, type Expectation } from '../support/chaos/check.js';
import { Cloud } from '../support/chaos/cloud.js';
import { Gateway, type GatewayOptions } from '../support/chaos/gateway.js';
import {
  generatedRecordings,
  realDataFolder,
  realRecordings,
  type Recording,
} from '../support/chaos/recordings.js';
import { TcpProxy } from '../support/chaos/tcp-proxy.js';

const drainMsMax = 60_000;

describe('one drive, from the recording to the log and back', function () {
  this.timeout(120_000);
  let folder: string;
  let cloud: Cloud;
  const gateways: Gateway[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fleetlog-end-'));
    cloud = new Cloud(join(folder, 'cloud'));
    await cloud.start();
  });
  afterEach(async function () {
    for (const { command } of gateways) await command.kill();
    await cloud.command.kill();
    if (this.currentTest?.state === 'failed') {
      for (const { name, log } of [cloud.command, ...gateways.map(({ command }) => command)]) {
        console.log(`===== ${name}\n${log.slice(-10_000)}`);
      }
    }
    gateways.length = 0;
    await rm(folder, { recursive: true, force: true });
  });

  async function gatewayOf(
    id: string,
    recordings: readonly Recording[],
    options: Partial<GatewayOptions> = {},
  ): Promise<Gateway> {
    const url = `mqtt://127.0.0.1:${cloud.mqttPort}`;
    const gateway = await Gateway.prepare(id, join(folder, id), recordings, { url, ...options });
    gateways.push(gateway);
    return gateway;
  }

  async function bring(id: string, recordings: readonly Recording[]): Promise<Gateway> {
    const gateway = await gatewayOf(id, recordings);
    gateway.command.start();
    await gateway.drained(drainMsMax);
    return gateway;
  }

  async function assertAllThere(expectations: readonly Expectation[]): Promise<void> {
    const score = await checkCloud(cloud, expectations);
    assert.deepEqual(score.complaints, []);
    assert.ok(score.records > 0);
  }

  it('generated CAN frames of all kinds and GPS sentences come out byte for byte, each once', async () => {
    const { expectations } = await bring('g', generatedRecordings(1, 20));
    await assertAllThere(expectations);
  });

  it('real recordings of cars, a boat and GPS receivers come out byte for byte, each record once', async function () {
    const recordings = await realRecordings();
    if (recordings.length === 0) {
      console.log(`      skipped: no recordings in ${realDataFolder}`);
      return this.skip();
    }
    const isCan = ({ format }: Recording): boolean => format === 'candump';
    const [cars, receivers] = await Promise.all([
      bring('cars', recordings.filter(isCan)),
      bring(
        'receivers',
        recordings.filter((recording) => !isCan(recording)),
      ),
    ]);
    await assertAllThere([...cars.expectations, ...receivers.expectations]);
    return undefined;
  });

  it('a part of a drive can be exported by time', async () => {
    const [can] = generatedRecordings(2, 10);
    await bring('g', [can]);
    const lines = can.bytes.toString('latin1').split(/(?<=\n)/);
    const timeOf = (line: string): string => line.slice(1, line.indexOf(')'));
    const [from, to] = [timeOf(lines[4000]), timeOf(lines[9000])];
    const names = ['--gateway', 'g', '--stream', 'can0', '--format', 'candump', '--from', from, '--to', to];
    const { status, stdout } = await cloud.fleetlog('export', ...names);
    assert.equal(status, 0);
    const wanted = lines.filter((line) => timeOf(line) >= from && timeOf(line) < to).join('');
    assert.ok(
      stdout.equals(Buffer.from(wanted, 'latin1')),
      `${stdout.length} bytes, wanted ${wanted.length}`,
    );
  });

  it('a gateway that is started again has nothing left to do', async () => {
    const gateway = await bring('g', generatedRecordings(3, 5));
    gateway.command.start();
    await gateway.drained(drainMsMax);
    await assertAllThere(gateway.expectations);
  });

  it('the log is there again when the cloud is', async () => {
    const { expectations } = await bring('g', generatedRecordings(4, 5));
    assert.equal((await cloud.command.stop())?.status, 0);
    await cloud.start();
    await assertAllThere(expectations);
  });

  it('a second cloud refuses the folder of the first with a sentence', async () => {
    const second = new Cloud(cloud.folder);
    await assert.rejects(second.start(), /ended/);
    assert.equal(second.command.exitStatus, 1);
    assertOneSentence(second.command.log, /in use|already|another/i);
  });

  it('a second gateway refuses the folder of the first with a sentence', async () => {
    const first = await gatewayOf('g', generatedRecordings(5, 30), { pace: () => 'original' });
    first.command.start();
    while ((await first.status()).stdout.length === 0 || !(await isRunning(first)))
      assert.ok(first.command.running);
    const second = await gatewayOf('g', generatedRecordings(5, 30), { pace: () => 'original' });
    second.command.start();
    assert.equal((await second.command.ended(drainMsMax)).status, 1);
    assertOneSentence(second.command.log, /in use|already|another/i);
  });

  it('a wiped buffer starts a new epoch, and nothing of it is taken for old', async () => {
    const [before] = generatedRecordings(6, 8);
    const [after] = generatedRecordings(700_006, 8); // later in event time
    await bring('g', [before]);
    await rm(join(folder, 'g'), { recursive: true });
    await bring('g', [after]);
    const input = Buffer.concat([before.bytes, after.bytes]);
    await assertAllThere([{ gateway: 'g', stream: 'can0', format: 'candump', input }]);
  });

  it('what a wiped buffer took with it shows as missing, and what comes after it is there', async () => {
    await using proxy = await TcpProxy.start(new Prng(1));
    proxy.brokerPort = cloud.mqttPort;
    proxy.rates.loseBatch = 1;
    const [lost] = generatedRecordings(8, 4);
    const [after] = generatedRecordings(700_008, 4);
    const url = `mqtt://127.0.0.1:${proxy.port}`;
    const unlucky = await gatewayOf('g', [lost], { url, args: [] });
    unlucky.command.start();
    while (!(await bufferedBatches(unlucky))) assert.ok(unlucky.command.running);
    await unlucky.command.stop(); // says goodbye, and what it has
    await rm(unlucky.dataFolder, { recursive: true });
    const { expectations } = await bring('g', [after]);
    const score = await checkCloud(cloud, expectations);
    assert.deepEqual([score.lost, score.duplicated, score.altered], [0, 0, 0]);
    assert.equal(score.complaints.length, 1, score.complaints.join());
    assert.match(score.complaints[0], /missing.*status 3/s);
  });

  it('the index can be deleted, and gives the same answers when it is built again', async () => {
    const { expectations } = await bring('g', generatedRecordings(9, 10));
    await assertAllThere(expectations);
    await cloud.command.stop();
    await rm(join(cloud.folder, 'index'), { recursive: true });
    cloud = new Cloud(cloud.folder, { args: ['--rebuild-index'] });
    await cloud.start();
    await assertAllThere(expectations);
  });
});

interface Status {
  running: boolean;
  streams: { batches: number }[];
}

async function statusOf(gateway: Gateway): Promise<Status | undefined> {
  const { status, stdout } = await gateway.status();
  return status === 0 ? (JSON.parse(stdout.toString()) as Status) : undefined;
}

const isRunning = async (gateway: Gateway): Promise<boolean> => (await statusOf(gateway))?.running === true;

const bufferedBatches = async (gateway: Gateway): Promise<number> =>
  (await statusOf(gateway))?.streams.reduce((sum, { batches }) => sum + batches, 0) ?? 0;

/** What a person sees who made a mistake: a sentence, not a stack. */
function assertOneSentence(log: string, pattern: RegExp): void {
  const sentences = log.split('\n').filter((line) => line.startsWith('fleetlog'));
  assert.equal(sentences.length, 1, log);
  assert.match(sentences[0], pattern);
  assert.doesNotMatch(log, /^ {4}at /m);
}

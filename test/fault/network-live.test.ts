import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Cloud } from '../support/chaos/cloud.js';
import { Gateway } from '../support/chaos/gateway.js';
import { bins } from '../support/chaos/process.js';
import { candumpText } from '#sim/vehicle/can-bus.js';
import { readAges, type Ages } from '../support/net/ages.js';
import { Network } from '../support/net/network.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const bitsPerSecond = 1_000_000;
const seconds = Number(process.env.FLEETLOG_LIVE_SECONDS ?? 6);
/** Of a full bus: more than the link carries in the time of the test. */
const backlogSeconds = Math.round(90 + seconds * 12);

/** Runs where namespaces can be made; `FLEETLOG_LIVE_SECONDS` makes it longer, for better figures. */
describe('live data while a backlog drains over 1 Mbit/s', function () {
  this.timeout(60_000 + 5000 * seconds);
  let folder: Awaited<ReturnType<typeof tempFolder>>;

  before(async function () {
    const why = Network.whyNot();
    if (why !== undefined) {
      console.log(`      skipped: ${why}`);
      return this.skip();
    }
    folder = await tempFolder('live');
  });
  after(async () => folder?.[Symbol.asyncDispose]());

  /** Live streams over the narrow link for a while, with or without a backlog; ages as the cloud's log has them. */
  async function measure(
    name: string,
    withBacklog: boolean,
  ): Promise<{ ages: Ages; used: number; drained: number }> {
    await using network = await Network.create();
    await network.narrow(bitsPerSecond);
    const place = join(folder.path, name);
    const text = Buffer.concat([
      ...candumpText({ seed: 5, startUs: 1_700_000_000_000_000, durationUs: backlogSeconds * 1e6, rate: 2 }),
    ]);
    const cloudConfig = join(folder.path, 'cloud.yaml');
    await writeFile(cloudConfig, 'mqtt: { open: true }');
    const cloud = new Cloud(join(place, 'cloud'), {
      args: ['--config', cloudConfig],
      within: network.within('cloud'),
      mqtt: `${network.cloudAddress}:0`,
    });
    await cloud.start();
    const live = (format: string, sim: string[]): object => ({
      source: 'command',
      format,
      command: [process.execPath, bins.sim, 'stream', ...sim],
    });
    const options = {
      url: `mqtt://${network.cloudAddress}:${cloud.mqttPort}`,
      args: [],
      within: network.within('gateway'),
    };
    const recording = { name: 'before', format: 'candump' as const, bytes: text, seconds: backlogSeconds };
    const streams = {
      live0: live('candump', ['--format', 'candump', '--rate', '2']),
      live1: live('lines', ['--format', 'nmea', '--fix-rate', '5']),
    };
    try {
      if (withBacklog) {
        const before = await Gateway.prepare('truck', place, [recording], {
          ...options,
          url: 'mqtt://127.0.0.1:9',
        });
        before.command.start();
        await until(
          'the backlog',
          async () => {
            const { stdout } = await before.status();
            const report = JSON.parse(stdout.toString() || '{}') as {
              streams?: { source?: { condition: string } }[];
            };
            return report.streams?.[0]?.source?.condition === 'ended';
          },
          60_000,
        );
        await before.command.stop();
      }
      const gateway = await Gateway.prepare('truck', place, withBacklog ? [recording] : [], {
        ...options,
        streams,
      });
      gateway.command.start();
      await gateway.command.says(/Connected to the cloud/);
      await pause(4000); // the link fills, and the window finds its size
      const fromUs = Date.now() * 1000;
      const sentBefore = await network.sentBytes();
      await pause(seconds * 1000);
      const sent = (await network.sentBytes()) - sentBefore;
      const toUs = Date.now() * 1000;
      await gateway.command.kill();
      await cloud.command.stop();
      const span: [string, number, number] = [cloud.folder, fromUs, toUs];
      const ages = await readAges(...span, (stream) => stream.startsWith('live'));
      const old = await readAges(...span, (stream) => !stream.startsWith('live'));
      return { ages, used: (8 * sent) / (bitsPerSecond * ((toUs - fromUs) / 1e6)), drained: old.bytes };
    } finally {
      await cloud.command.kill();
    }
  }

  it('is at most twice as old at its 99th percentile as without one, and the link is used', async () => {
    const alone = await measure('alone', false);
    const beside = await measure('beside', true);
    const line = (name: string, { ages, used, drained }: typeof alone): string =>
      `      ${name}: ${ages.batches} live batches, p50 ${ages.storedMs.p50.toFixed(0)} ms, ` +
      `p99 ${ages.storedMs.p99.toFixed(0)} ms after storing (${ages.recordMs.p99.toFixed(0)} ms after the first record); ` +
      `${(100 * used).toFixed(1)} % of the link used, ${drained} bytes of backlog`;
    console.log(line('without backlog', alone));
    console.log(line('with backlog   ', beside));
    assert.ok(alone.ages.batches > seconds && beside.ages.batches > seconds, 'live batches came');
    assert.ok(beside.used >= 0.9, `${beside.used} of the link used`);
    assert.ok(beside.ages.recordMs.p99 <= 2 * alone.ages.recordMs.p99, 'age of the oldest record');
    assert.ok(beside.ages.storedMs.p50 <= 2 * alone.ages.storedMs.p50, 'age since storing');
  });
});

/** The time that is measured: no wait for something to have happened. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

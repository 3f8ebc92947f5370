import assert from 'node:assert/strict';
import { join } from 'node:path';
import { FleetLab, impatient } from '../support/net/fleet-lab.js';
import { Network } from '../support/net/network.js';
import { Mosquitto } from '../support/mosquitto.js';
import { tempFolder } from '../support/temp-folder.js';

/** Packets of a real kernel between real processes; see `Network` for what it needs. */
describe('a bad network: nothing lost, nothing twice', function () {
  this.timeout(120_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let places = 0;

  before(async function () {
    const why = Network.whyNot();
    if (why !== undefined) {
      console.log(`      skipped: ${why}`);
      return this.skip();
    }
    folder = await tempFolder('network');
  });
  after(async () => folder?.[Symbol.asyncDispose]());
  const place = (): string => join(folder.path, `${places++}`);

  it('partitions, half-open links, resets and a killed cloud, at 1 Mbit/s with 20 % of the packets lost', async () => {
    await using network = await Network.create();
    await using lab = await FleetLab.start(place(), network);
    await network.narrow(1_000_000);
    const first = await lab.drive(20, 10);
    await lab.drive(20, 10);
    await first.command.says(/Connected to the cloud/);
    await network.lose(20);
    await pause(3000);
    await network.partition(true);
    await first.command.says(/The connection to the cloud ended/);
    await network.partition(false);
    await first.command.says(/ended; connecting again[^]*Connected to the cloud/);
    await network.halfOpen(true);
    await pause(3000);
    await network.reject(true);
    await pause(1500);
    await network.lose(20);
    await lab.cloud.command.kill();
    await lab.cloud.start();
    await pause(2000);
    await network.lose(0);
    assert.deepEqual(await lab.complaints(60_000), []);
    assert.ok(
      lab.gateways[0].command.log.split('Connected to the cloud').length > 3,
      'connected again and again',
    );
  });

  it('a broker that is killed with its disk behind a partition', async function () {
    if (Mosquitto.whyNot() !== undefined) return this.skip();
    await using network = await Network.create();
    await using lab = await FleetLab.start(place(), network, { mosquitto: true });
    await lab.drive(20, 6, { uplink: { ...impatient, protocol: '5' } });
    const second = await lab.drive(20, 6);
    await second.command.says(/Connected to the cloud/);
    await pause(1000);
    await network.partition(true);
    await lab.broker?.restart();
    await pause(1000);
    await network.partition(false);
    await pause(2000);
    await lab.broker?.restart();
    assert.deepEqual(await lab.complaints(60_000), []);
  });

  it('finds by keep-alive that an idle link is dead, and is back when it lives', async () => {
    await using network = await Network.create();
    await using lab = await FleetLab.start(place(), network);
    const idle = { source: 'command', format: 'lines', command: 'sleep 1000' };
    const gateway = await lab.drive(1, 1, { args: [], streams: { idle } });
    await gateway.command.says(/Connected to the cloud/);
    await pause(3000); // everything is acknowledged: from here on there are only keep-alives
    await network.partition(true);
    const cutMs = performance.now();
    await gateway.command.says(/The connection to the cloud ended/, 10_000);
    const foundMs = performance.now() - cutMs;
    assert.ok(foundMs < 6000, `found after ${foundMs} ms with a keep-alive of 2 s`);
    await network.partition(false);
    await gateway.command.says(/ended; connecting again[^]*Connected to the cloud/, 10_000);
  });

  it('600 ms each way, at 1 Mbit/s, with the time-outs as they come', async function () {
    const why = Network.whyNot({ delay: true });
    if (why !== undefined) {
      console.log(`      skipped: ${why}`);
      return this.skip();
    }
    await using network = await Network.create({ delayMs: 600 });
    await using lab = await FleetLab.start(place(), network);
    await network.narrow(1_000_000);
    const gateway = await lab.drive(30, 2, { uplink: {} });
    const startMs = performance.now();
    assert.deepEqual(await lab.complaints(60_000), []);
    console.log(`      drained in ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
    assert.doesNotMatch(gateway.command.log, /sending again|connecting again/, 'nobody lost patience');
  });
});

/** What the network is left to do to the fleet: no wait for something to have happened. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

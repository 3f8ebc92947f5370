import assert from 'node:assert/strict';
import { join } from 'node:path';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import type { GatewayBuffer } from '#gateway/buffer/buffer.js';
import { Budget } from '#gateway/uplink/budget.js';
import type { Connect } from '#gateway/uplink/link.js';
import { connectMqtt } from '#gateway/uplink/mqtt-link.js';
import { Uplink } from '#gateway/uplink/uplink.js';
import { WireMeter } from '#gateway/uplink/wire-meter.js';
import { Prng } from '#sim/vehicle/prng.js';
import { Cloud } from '../support/chaos/cloud.js';
import { freePorts } from '../support/free-ports.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const fleetSize = 1000;
const seed = 8;
const reconnectMsMax = 8000;

/** What an uplink asks of a buffer that has nothing to send. */
const emptyBuffer: Partial<GatewayBuffer> = {
  epoch: '0011223344556677',
  earlierEpochs: [],
  streams: () => [],
  moreDurable: (signal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
};

describe(`${fleetSize} gateways whose cloud goes away and comes back (seed ${seed})`, function () {
  this.timeout(120_000);

  it('come back spread over time, each after few attempts, all within the longest wait', async () => {
    await using folder = await tempFolder('herd');
    const [port] = await freePorts(1); // the same after the cloud's restart
    const cloud = new Cloud(join(folder.path, 'cloud'), { mqtt: `127.0.0.1:${port}` });
    await cloud.start();
    const attemptsMs: number[] = [];
    const connect: Connect = (options, signal) => {
      attemptsMs.push(performance.now());
      return connectMqtt(options, signal);
    };
    const prng = new Prng(seed);
    const logger = silentLogger;
    const events = { note: () => undefined };
    const meter = WireMeter.load(join(folder.path, 'traffic.json'), systemClock, logger);
    const budget = new Budget(meter, undefined, { priorityOf: () => 5, events, logger });
    const stop = new AbortController();
    const uplinks = Array.from(
      { length: fleetSize },
      (_, i) =>
        new Uplink(
          {
            gateway: `g-${i}`,
            url: `mqtt://127.0.0.1:${port}`,
            password: undefined,
            protocol: '3.1.1',
            tls: {},
            keepAliveMs: 30_000,
            connectTimeoutMs: 10_000,
            reconnectMsMax,
            ackTimeoutMs: 15_000,
            window: { batches: 64, bytes: 1 << 20 },
            bytesPerSecond: Infinity,
            backlog: { order: 'oldest-first', share: 1, bytesPerSecond: Infinity },
            version: '0.0.0',
          },
          {
            buffer: emptyBuffer as GatewayBuffer,
            budget,
            connect,
            clock: systemClock,
            random: () => prng.between(0, 1),
            logger,
          },
        ),
    );
    const runs = uplinks.map((uplink) => uplink.run(stop.signal));
    const connected = (): number => uplinks.filter(({ state }) => state.connected).length;
    try {
      await until('the fleet', () => connected() === fleetSize, 30_000);
      attemptsMs.length = 0;
      await cloud.command.kill();
      await cloud.start(); // at once: the worst case for a cloud
      const backMs = performance.now();
      await until('the fleet again', () => connected() === fleetSize, reconnectMsMax + 10_000);
      const tookMs = performance.now() - backMs;
      const busiest = busiestSecond(attemptsMs.filter((atMs) => atMs >= backMs)); // refused ones before cost nothing
      console.log(
        `      all back ${(tookMs / 1000).toFixed(1)} s after the cloud, ${attemptsMs.length} attempts, ` +
          `${busiest} in the busiest second`,
      );
      assert.ok(busiest <= fleetSize / 2, `${busiest} attempts in one second`);
      assert.ok(attemptsMs.length <= 3 * fleetSize, `${attemptsMs.length} attempts`);
    } finally {
      stop.abort();
      await Promise.all(runs);
      await cloud.command.kill();
    }
  });
});

function busiestSecond(timesMs: readonly number[]): number {
  let most = 0;
  let from = 0;
  for (let to = 0; to < timesMs.length; to++) {
    while (timesMs[to] - timesMs[from] > 1000) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

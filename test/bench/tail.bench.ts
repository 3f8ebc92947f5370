import { join } from 'node:path';
import { topics } from '@fleetlog/shared/topics';
import { systemClock } from '@fleetlog/shared/util';
import { LogClient } from '#cloud/client/index.js';
import { CloudProcess } from '../support/cloud-process.js';
import { MqttSocket } from '../support/mqtt-socket.js';
import { canBatch } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';
import type { BenchRow } from './row.js';

const gateways = 1000;
const seconds = 20;
const warmUpSeconds = 3;
/** Gateways don't send at the same moment. */
const tickMs = 10;
const framesPerBatch = 100;

/** From the publish of a batch to its arrival at a consumer, through broker, ingest, fsync and HTTP. */
export async function benchTail(): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench');
  await using cloud = await CloudProcess.serve(join(folder.path, 'data'));
  const clients = await Promise.all(
    Array.from({ length: gateways }, async (_, i) => {
      const client = await MqttSocket.open(cloud.mqttPort);
      await client.login(`tail-${i}`);
      return client;
    }),
  );
  const stop = new AbortController();
  const latenciesMs: number[] = [];
  const fromUs = systemClock.nowUs() + warmUpSeconds * 1e6;
  const reading = (async () => {
    const log = new LogClient(cloud.httpUrl);
    for await (const { header } of log.read({ group: 'tail', from: 'latest', signal: stop.signal })) {
      if (header.storeTimeUs < fromUs) continue;
      latenciesMs.push((systemClock.nowUs() - header.storeTimeUs) / 1000);
    }
  })();
  const startedUs = systemClock.monotonicUs();
  const perTick = gateways / (1000 / tickMs);
  for (let sent = 0; sent < gateways * (seconds + warmUpSeconds);) {
    const dueUs = startedUs + (sent / perTick) * tickMs * 1000;
    const waitMs = (dueUs - systemClock.monotonicUs()) / 1000;
    if (waitMs > 0) await systemClock.sleep(waitMs);
    for (let end = sent + perTick; sent < end; sent++) {
      const gateway = `tail-${sent % gateways}`;
      const sequence = Math.floor(sent / gateways);
      const times = Array.from(
        { length: framesPerBatch },
        (_, k) => 1_700_000_000_000_000 + sequence * 1e6 + k * 1e4,
      );
      const batch = canBatch(times, { gateway, sequence, storeTimeUs: systemClock.nowUs() });
      clients[sent % gateways].publish(topics.up(gateway, 'can0'), batch);
    }
  }
  await systemClock.sleep(1000);
  stop.abort();
  await reading;
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const on = `${gateways} gateways of 1 batch/s, ${sorted.length} batches; gateways and consumer in one process beside the cloud`;
  return [0.5, 0.99, 0.999].map((part) => ({
    name: `publish to consumer, ${100 * part} %`,
    value: sorted[Math.floor(sorted.length * part)],
    unit: 'ms',
    on: part === 0.5 ? on : 'the same',
  }));
}

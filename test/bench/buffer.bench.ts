import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { silentLogger } from '@fleetlog/shared/log';
import { RangeSet, systemClock } from '@fleetlog/shared/util';
import type { GatewayBuffer } from '#gateway/buffer/buffer.js';
import { checkGatewayConfig, type GatewayConfig } from '#gateway/config.js';
import { openGatewayBuffer } from '#gateway/main.js';
import { createSource } from '#gateway/sources/create.js';
import { keeperOn } from '../support/keeper.js';
import { candumpText } from '#sim/vehicle/can-bus.js';
import { sealedBatch } from '../support/sealed-batches.js';
import { tempFolder } from '../support/temp-folder.js';
import { noEvents } from '../support/source-options.js';
import type { BenchRow } from './row.js';

const rounds = 5;
const driveSeconds = 900;
const batchBytes = 5000;
const batchesPut = 10_000;
const batchesHeld = 100_000;

/** From a recording to the durable buffer, the buffer alone, and how fast a full one opens. */
export async function benchBuffer(): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench');
  return [await fileToBuffer(folder.path), await putAndTrim(folder.path), await reopen(folder.path)];
}

async function fileToBuffer(folder: string): Promise<BenchRow> {
  const recording = join(folder, 'drive.candump');
  const drive = { seed: 1, startUs: 1_700_000_000_000_000, durationUs: driveSeconds * 1e6, rate: 2 };
  await pipeline(Readable.from(candumpText(drive)), createWriteStream(recording));
  const rates: number[] = [];
  let bytesPerFrame = 0;
  for (let round = 0; round < rounds; round++) {
    const config = configFor(join(folder, `file-${round}`), recording);
    await using buffer = await open(config);
    const source = createSource('can0', config.streams.can0, {
      clock: systemClock,
      keeper: keeperOn(systemClock),
      logger: silentLogger,
      events: noEvents,
    });
    const started = performance.now();
    await source.run(buffer, undefined, new AbortController().signal);
    await buffer.flush();
    rates.push(source.counters.records / ((performance.now() - started) / 1000));
    bytesPerFrame = buffer.streams()[0].bytesPut / source.counters.records;
  }
  return {
    name: 'candump file to durable buffer',
    value: median(rates),
    unit: 'frames/s',
    on: `generated drive of ${driveSeconds} s, ${bytesPerFrame.toFixed(2)} bytes a frame in the buffer, synced; median of ${rounds}`,
  };
}

async function putAndTrim(folder: string): Promise<BenchRow> {
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await using buffer = await open(configFor(join(folder, `put-${round}`)));
    const started = performance.now();
    for (let i = 0; i < batchesPut; i++) {
      await buffer.put('can0', sealedBatch(String(i), { bytes: batchBytes, position: 'x'.repeat(32) }));
      const { durableNext } = buffer.streams()[0];
      if (i % 100 === 0 && durableNext > 0)
        await buffer.acknowledge('can0', new RangeSet([[0, durableNext - 1]]));
    }
    await buffer.flush();
    rates.push(batchesPut / ((performance.now() - started) / 1000));
  }
  return {
    name: 'batches put, synced, acknowledged',
    value: median(rates),
    unit: 'batches/s',
    on: `${batchesPut} batches of ${batchBytes} bytes, acknowledged as they become durable; median of ${rounds}`,
  };
}

async function reopen(folder: string): Promise<BenchRow> {
  const config = configFor(join(folder, 'reopen'));
  {
    await using buffer = await open(config);
    for (let i = 0; i < batchesHeld; i++) await buffer.put('can0', sealedBatch(String(i), { bytes: 1000 }));
  }
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const started = performance.now();
    await using _ = await open(config);
    times.push(performance.now() - started);
  }
  return {
    name: 'opening a buffer',
    value: median(times),
    unit: 'ms',
    on: `${batchesHeld} batches of 1,000 bytes held; median of ${rounds}`,
  };
}

/** As a gateway's file would say it, everything else by default. */
function configFor(data: string, path = 'none'): GatewayConfig {
  const streams = { can0: { source: 'file', path, format: 'candump', pace: 'max' } };
  return checkGatewayConfig(
    { gateway: 'bench', data, uplink: { url: 'mqtt://127.0.0.1' }, streams },
    'bench',
  );
}

const open = (config: GatewayConfig): Promise<GatewayBuffer> =>
  openGatewayBuffer(config, systemClock, silentLogger);

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

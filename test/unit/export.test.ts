import assert from 'node:assert/strict';
import fc from 'fast-check';
import { encodeSamples, Samples } from '@fleetlog/shared/batch';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { exportRecords } from '#cloud/export/export.js';
import { defaultFormat, formatFor, formats, type FormatName } from '#cloud/export/formats.js';
import { MergeMemory } from '#cloud/export/merge-memory.js';
import { openIndex, type Index } from '#cloud/index/index.js';
import { seal } from '../support/batches.js';
import { MemoryLog } from '../support/memory-log.js';
import { append, canBatch, candumpBatches, eventBatch, gapBatch, lineBatch } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';

const gateway = 'truck-17';
const epochs = ['1111111111111111', '2222222222222222'];
const baseUs = 1_500_000_000_000_000;

/** An index over what `batches` hold, which is in the log in the order given. */
async function indexed(
  batches: readonly Uint8Array[],
  use: (index: Index, log: MemoryLog) => Promise<void>,
): Promise<void> {
  await using folder = await tempFolder('export');
  const log = new MemoryLog();
  await append(log, batches);
  await using index = await openIndex({ log, path: folder.path, logger: silentLogger, clock: systemClock });
  await index.caughtUp(AbortSignal.timeout(10_000));
  await use(index, log);
}

async function collect(
  index: Index,
  log: MemoryLog,
  options: {
    stream?: string;
    fromUs?: number;
    toUs?: number;
    format?: FormatName;
    memory?: MergeMemory;
  } = {},
): Promise<Buffer> {
  const { stream = 'can0', fromUs = -1e15, toUs = 4e15, format = 'candump', memory } = options;
  const range = { gateway, stream, fromUs, toUs };
  const formatter = formats[format].create({ several: false });
  const chunks: Uint8Array[] = [];
  for await (const chunk of exportRecords({
    index,
    log,
    ranges: [range],
    formatter,
    ...(memory && { memory }),
  })) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** What a batch is made of, for the model. */
interface Planned {
  epoch: number;
  timesUs: number[];
}

const planned = fc.array(
  fc.record({
    epoch: fc.nat(1),
    // Few different times, so that there are many ties, within batches and between them.
    timesUs: fc.array(fc.nat(12), { minLength: 1, maxLength: 12 }),
  }),
  { maxLength: 24 },
);

/** Batches as a gateway would number them, in the order in which they were captured. */
function numbered(plan: readonly Planned[]): { bytes: Uint8Array; mark: number }[] {
  const next = [0, 0];
  return plan.map(({ epoch, timesUs }, mark) => ({
    mark,
    bytes: canBatch(
      timesUs.map((time) => baseUs + time),
      { gateway, epoch: epochs[epoch], sequence: next[epoch]++ },
      mark,
    ),
  }));
}

/** The model: everything in one list, sorted with ties in the order of capture. */
function expected(plan: readonly Planned[], from: number, to: number): string[] {
  const firstEpoch = plan[0]?.epoch ?? 0;
  const records = plan.flatMap(({ epoch, timesUs }, mark) =>
    timesUs.map((time, i) => ({ time, rank: epoch === firstEpoch ? 0 : 1, mark, i })),
  );
  return records
    .filter(({ time }) => time >= from && time < to)
    .sort((a, b) => a.time - b.time || a.rank - b.rank || a.mark - b.mark || a.i - b.i)
    .map(({ time, mark, i }) => `${time}:${mark}:${i}`);
}

/** `time:mark:index` of each line. */
const told = (text: Buffer): string[] =>
  text
    .toString()
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [, seconds, micros, mark, i] = /^\((\d+)\.(\d{6})\) can0 \w{3}#(\w{8})(\w{8})$/.exec(line)!;
      const timeUs = Number(seconds) * 1e6 + Number(micros) - baseUs;
      return `${timeUs}:${Number.parseInt(mark, 16)}:${Number.parseInt(i, 16)}`;
    });

describe('export', () => {
  it('equals a stable sort by time of all records, whatever overlaps, in any range', async () => {
    await fc.assert(
      fc.asyncProperty(planned, fc.nat(12), fc.nat(14), async (plan, from, length) => {
        await indexed(
          numbered(plan).map(({ bytes }) => bytes),
          async (index, log) => {
            const range = { fromUs: baseUs + from, toUs: baseUs + from + length };
            assert.deepEqual(told(await collect(index, log)), expected(plan, 0, Infinity));
            assert.deepEqual(told(await collect(index, log, range)), expected(plan, from, from + length));
          },
        );
      }),
      { numRuns: 40 },
    );
  });

  it('is the same where memory has room for one batch only, and batches are read again', async () => {
    await fc.assert(
      fc.asyncProperty(planned, async (plan) => {
        await indexed(
          numbered(plan).map(({ bytes }) => bytes),
          async (index, log) => {
            const memory = new MergeMemory(1);
            assert.deepEqual(told(await collect(index, log, { memory })), expected(plan, 0, Infinity));
            assert.ok(memory.batchesPeak <= 3, `${memory.batchesPeak} batches at a time`);
          },
        );
      }),
      { numRuns: 20 },
    );
  });

  it('does not depend on the order in which batches came, as long as epochs are seen in the same order', async () => {
    const plan: Planned[] = Array.from({ length: 30 }, (_, i) => ({ epoch: 0, timesUs: [i % 7, i, 30 - i] }));
    const batches = numbered(plan).map(({ bytes }) => bytes);
    await indexed([batches[0], ...batches.slice(1).reverse()], async (index, log) => {
      assert.deepEqual(told(await collect(index, log)), expected(plan, 0, Infinity));
    });
  });

  it('holds as many batches as overlap, however many there are', async () => {
    const second = 1_000_000;
    const peaks: number[] = [];
    for (const count of [40, 400]) {
      const batches = Array.from({ length: count }, (_, sequence) =>
        canBatch(
          Array.from({ length: 20 }, (__, i) => baseUs + sequence * second + i * 60_000), // reaches into the next one
          { gateway, epoch: epochs[0], sequence },
          sequence,
        ),
      );
      await indexed(batches, async (index, log) => {
        const memory = new MergeMemory(64 * 1024 * 1024);
        assert.equal(told(await collect(index, log, { memory })).length, 20 * count);
        peaks.push(memory.batchesPeak);
      });
    }
    assert.ok(peaks[0] <= 4, `${peaks[0]} batches at a time`);
    assert.equal(peaks[0], peaks[1]);
  });

  it('opens batches of one time one after the other', async () => {
    const batches = Array.from({ length: 100 }, (_, sequence) =>
      canBatch([baseUs, baseUs, baseUs], { gateway, epoch: epochs[0], sequence }, sequence),
    );
    await indexed(batches, async (index, log) => {
      const memory = new MergeMemory(64 * 1024 * 1024);
      const lines = told(await collect(index, log, { memory }));
      assert.deepEqual(
        lines,
        expected(
          batches.map(() => ({ epoch: 0, timesUs: [0, 0, 0] })),
          0,
          1,
        ),
      );
      assert.ok(memory.batchesPeak <= 3, `${memory.batchesPeak} batches at a time`);
    });
  });

  it('finds the records of a range in a batch that begins long before it', async () => {
    const hourUs = 30 * 60_000_000;
    const batches = [
      canBatch([baseUs, baseUs + hourUs], { gateway, epoch: epochs[0], sequence: 0 }, 0),
      canBatch([baseUs + 1, baseUs + 2], { gateway, epoch: epochs[0], sequence: 1 }, 1),
    ];
    await indexed(batches, async (index, log) => {
      const text = await collect(index, log, { fromUs: baseUs + hourUs, toUs: baseUs + hourUs + 1 });
      assert.deepEqual(told(text), [`${hourUs}:0:1`]);
      assert.equal((await collect(index, log, { fromUs: baseUs + 3, toUs: baseUs + hourUs })).length, 0);
    });
  });

  it('leaves gap records and trimmed batches out', async () => {
    const times = [0, 1, 2, 3];
    const batches = times.map((time) =>
      canBatch([baseUs + time], { gateway, epoch: epochs[0], sequence: time }, time),
    );
    const gap = gapBatch(4, 9, 'buffer-full', { gateway, epoch: epochs[0] });
    await indexed([...batches.slice(0, 3), gap, batches[3]], async (index, log) => {
      assert.deepEqual(told(await collect(index, log)), ['0:0:0', '1:1:0', '2:2:0', '3:3:0']);
      await log.trim(log.partitionOf(gateway), 2);
      assert.deepEqual(told(await collect(index, log)), ['2:2:0', '3:3:0']);
    });
  });

  it('names the place of a batch that does not decode', async () => {
    const bytes = canBatch([baseUs], { gateway, epoch: epochs[0], sequence: 0 });
    await indexed([bytes], async (index, log) => {
      const [entry] = await log.get(log.partitionOf(gateway), [0]);
      entry!.bytes[bytes.length - 8] ^= 0x40;
      await assert.rejects(
        collect(index, log),
        (error) =>
          isFleetlogError(error, 'FLEETLOG_BATCH_CHECKSUM') &&
          error.message.includes(`partition ${log.partitionOf(gateway)}, offset 0`),
      );
    });
  });

  it('gives candump text back byte for byte, whatever its style', async () => {
    const text = Buffer.from(
      '(1500000000.000001) can0 123#0102\n(1500000000.000002) can1 00000123#R\n(1500000000.5) vcan0 7ff##1aabb\r\n' +
        '(1500000001.000000) can0 20000080#0000000000000000\n',
    );
    await indexed(candumpBatches(text, { gateway, epoch: epochs[0] }, 3), async (index, log) => {
      assert.equal((await collect(index, log)).toString(), text.toString());
    });
  });

  it('gives the bytes of lines back', async () => {
    const texts = ['$GPGGA,1*00\r\n', '\n', Buffer.from([0xff, 0x00, 0x0a]), 'no end'];
    const lines = texts.map((text, i) => ({ timeUs: baseUs + i, text }));
    const batches = [lineBatch(lines, { gateway, epoch: epochs[0], sequence: 0 })];
    await indexed(batches, async (index, log) => {
      const bytes = await collect(index, log, { stream: 'gps0', format: 'lines' });
      assert.deepEqual(bytes, Buffer.concat(texts.map((text) => Buffer.from(text))));
    });
  });

  it('tells every kind as NDJSON', async () => {
    const header = { gateway, epoch: epochs[0], sequence: 0 };
    const batches = [
      canBatch([1_500_000_000_123_456], header, 0xabcdef01),
      lineBatch(
        [
          { timeUs: -1, text: 'before "1970"\r\n' },
          { timeUs: 0, text: Buffer.from([0xff, 0x0a]) },
        ],
        header,
      ),
      eventBatch(0, 'source.started', header),
    ];
    await indexed(batches, async (index, log) => {
      const rows = async (stream: string): Promise<unknown[]> =>
        (await collect(index, log, { stream, format: 'ndjson' }))
          .toString()
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as unknown);
      assert.deepEqual(await rows('can0'), [
        { time: '2017-07-14T02:40:00.123456Z', bus: 'can0', id: '100', data: 'ABCDEF0100000000' },
      ]);
      assert.deepEqual(await rows('gps0'), [
        { time: '1969-12-31T23:59:59.999999Z', text: 'before "1970"' },
        { time: '1970-01-01T00:00:00.000000Z', base64: '/w==' },
      ]);
      assert.deepEqual(await rows('events'), [
        { time: '1970-01-01T00:00:00.000000Z', type: 'source.started', attributes: { reason: 'test' } },
      ]);
    });
  });

  it('tells what is special about a frame in NDJSON', async () => {
    const lines = [
      '(1.000000) can0 123#R5\n',
      '(1.000001) can0 1F334455##5AA\n',
      '(1.000002) vcan1 20000004#0001020304050607\n',
      '(1.000003) can0 001#1122334455667788_A R\n',
    ];
    const batches = candumpBatches(Buffer.from(lines.join('')), { gateway, epoch: epochs[0] });
    await indexed(batches, async (index, log) => {
      const text = (await collect(index, log, { format: 'ndjson' })).toString();
      const rows = text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as object);
      const time = (micros: number): string => `1970-01-01T00:00:01.00000${micros}Z`;
      assert.deepEqual(rows, [
        { time: time(0), bus: 'can0', id: '123', data: '', remote: true, dlc: 5 },
        { time: time(1), bus: 'can0', id: '1F334455', data: 'AA', fd: true, brs: true },
        { time: time(2), bus: 'vcan1', id: '20000004', data: '0001020304050607', error: true },
        { time: time(3), bus: 'can0', id: '001', data: '1122334455667788', dlc: 10, direction: 'rx' },
      ]);
    });
  });

  it('tells frames of every sort as CSV', async () => {
    const lines = [
      '(1.000000) can0 123#R5\n',
      '(1.000001) can0 1F334455##5AA\n',
      '(1.000002) vcan1 20000004#0001020304050607\n',
      '(1.000003) can0 001#1122334455667788_A R\n',
    ];
    const batches = candumpBatches(Buffer.from(lines.join('')), { gateway, epoch: epochs[0] }, 2);
    await indexed(batches, async (index, log) => {
      const text = (await collect(index, log, { format: 'csv' })).toString();
      assert.deepEqual(text.split('\n'), [
        'time,bus,id,extended,type,brs,esi,direction,dlc,data',
        '1970-01-01T00:00:01.000000Z,can0,123,0,remote,0,0,,5,',
        '1970-01-01T00:00:01.000001Z,can0,1F334455,1,fd,1,0,,1,AA',
        '1970-01-01T00:00:01.000002Z,vcan1,20000004,1,error,0,0,,8,0001020304050607',
        '1970-01-01T00:00:01.000003Z,can0,001,0,data,0,0,rx,10,1122334455667788',
        '',
      ]);
    });
  });

  it('tells samples as CSV by channel, and refuses channels that change on the way', async () => {
    const batchOf = (name: string, sequence: number): Uint8Array => {
      const samples = new Samples([{ name, unit: '', type: 'i16', scale: 0.1 }]);
      const at = samples.append(baseUs + sequence);
      samples.columns[0][at] = 338;
      return seal(encodeSamples(samples), { gateway, stream: 'imu', epoch: epochs[0], sequence });
    };
    await indexed([batchOf('a,b', 0), batchOf('a,b', 1)], async (index, log) => {
      const text = (await collect(index, log, { stream: 'imu', format: 'csv' })).toString();
      const time = '2017-07-14T02:40:00.00000';
      assert.equal(text, `time,"a,b"\n${time}0Z,33.8\n${time}1Z,33.8\n`);
    });
    await indexed([batchOf('a', 0), batchOf('b', 1)], async (index, log) => {
      await assert.rejects(
        collect(index, log, { stream: 'imu', format: 'csv' }),
        /columns change in this range/,
      );
    });
  });

  it('tells scaled samples as people read them, without the dust of fractions', async () => {
    const samples = new Samples([
      { name: 'engine', unit: 'Hz', type: 'i16', scale: 0.1 },
      { name: 'temperature', unit: '°C', type: 'u8', scale: 0.5, offset: -40 },
    ]);
    const at = samples.append(baseUs);
    samples.columns[0][at] = 338;
    samples.columns[1][at] = 121;
    const batch = seal(encodeSamples(samples), { gateway, stream: 'imu', epoch: epochs[0], sequence: 0 });
    await indexed([batch], async (index, log) => {
      const text = (await collect(index, log, { stream: 'imu', format: 'ndjson' })).toString();
      assert.match(text, /"engine":33\.8,"temperature":20\.5/);
    });
  });

  it('tells samples by channel in NDJSON, whatever their type', async () => {
    const samples = new Samples([
      { name: 'ax', unit: 'm/s²', type: 'f64' },
      { name: 'ticks "raw"', unit: '', type: 'u64' },
    ]);
    for (const value of [0.1, NaN]) {
      const at = samples.append(baseUs + samples.count);
      samples.columns[0][at] = value;
      samples.columns[1][at] = 2n ** 64n - 1n;
    }
    const batch = seal(encodeSamples(samples), { gateway, stream: 'imu', epoch: epochs[0], sequence: 0 });
    await indexed([batch], async (index, log) => {
      const text = (await collect(index, log, { stream: 'imu', format: 'ndjson' })).toString();
      const ticks = String(2n ** 64n - 1n);
      assert.deepEqual(text.split('\n'), [
        `{"time":"2017-07-14T02:40:00.000000Z","values":{"ax":0.1,"ticks \\"raw\\"":${ticks}}}`,
        `{"time":"2017-07-14T02:40:00.000001Z","values":{"ax":null,"ticks \\"raw\\"":${ticks}}}`,
        '',
      ]);
    });
  });

  it('refuses a format that does not fit the kind, with those that do', () => {
    assert.throws(
      () => formatFor('candump', 'lines'),
      (error) =>
        isFleetlogError(error, 'FLEETLOG_USAGE') &&
        /choose lines, ndjson, mcap, gpx or geojson/.test(error.message),
    );
    for (const kind of ['can', 'lines', 'samples', 'events'] as const) {
      assert.ok(formatFor(defaultFormat(kind), kind));
    }
  });
});

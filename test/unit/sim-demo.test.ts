import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { CloudFacts } from '#sim/demo/cloud-facts.js';
import { planRecordings } from '#sim/demo/fleet-plan.js';
import { Rates } from '#sim/demo/rates.js';
import { paint } from '#sim/demo/screen.js';

const nowMs = Date.parse('2026-03-01T08:00:10.000000Z');

function facts(frames: number, more: Partial<CloudFacts> = {}): CloudFacts {
  return {
    gateways: [
      {
        gateway: 'a',
        connected: true,
        batches: 12,
        records: frames + 4,
        pendingBatches: 2,
        bufferBytes: 5000,
        lastTime: '2026-03-01T08:00:09.250000Z',
      },
    ],
    streams: [
      { gateway: 'a', stream: 'can0', kind: 'can', batches: 10, records: frames, bytes: frames * 2.5 },
      { gateway: 'a', stream: 'gps0', kind: 'lines', batches: 2, records: 4, bytes: 100 },
    ],
    gaps: [],
    status: { log: { bytes: 12_345_678 }, index: { lagBatches: 0 } },
    ...more,
  };
}

describe("the demo's table", () => {
  it('shows rates of CAN frames over the last seconds, and how far the cloud is behind', () => {
    const rates = new Rates();
    assert.equal(rates.rows(facts(10_000), ['a'], 1000, nowMs)[0].framesPerSecond, 0);
    const [row] = rates.rows(facts(14_000), ['a'], 3000, nowMs);
    assert.equal(row.framesPerSecond, 2000);
    assert.equal(row.bytesPerFrame, 2.5);
    assert.equal(row.lagSeconds, 0.75);
    assert.equal(row.bufferedBatches, 2);
    assert.equal(row.batches, 12);
  });

  it('forgets what is older than some seconds', () => {
    const rates = new Rates();
    for (let second = 0; second <= 20; second++)
      rates.rows(facts(second * 1000), ['a'], second * 1000, nowMs);
    assert.equal(rates.rows(facts(20_000), ['a'], 25_000, nowMs)[0].framesPerSecond, 0);
  });

  it('counts lines where a gateway has no CAN', () => {
    const rates = new Rates();
    const streams = facts(0).streams.slice(1);
    const [row] = rates.rows(facts(0, { streams }), ['a'], 0, nowMs);
    assert.equal(row.bytesPerFrame, 25);
  });

  it('tells missing batches from those that are explained or on their way', () => {
    const gap = (state: 'explained' | 'pending' | 'missing', first: number, last: number) => ({
      gateway: 'a',
      state,
      first,
      last,
    });
    const gaps = [gap('missing', 3, 5), gap('explained', 7, 7), gap('pending', 9, 20)];
    const [row] = new Rates().rows(facts(1, { gaps }), ['a'], 0, nowMs);
    assert.deepEqual([row.missingBatches, row.explainedBatches], [3, 1]);
  });

  it('has a line for each gateway, also for one that the cloud has not heard of', () => {
    const rows = new Rates().rows(facts(1000), ['a', 'b'], 0, nowMs);
    // Colours depend on where the test runs.
    const text = stripVTControlCharacters(paint({ rows, logBytes: 12_345_678, notes: ['try this'] }));
    assert.match(text, /a .*12.*2\.50.*0\.8 s.*2 \(5,000 B\)/);
    assert.match(text, /b .*–.*–/);
    assert.match(text, /12 MB on disk/);
    assert.match(text, /try this/);
  });
});

describe("the demo's gateways for recordings", () => {
  let folder: string;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'fleetlog-plan-'))));
  after(() => rm(folder, { recursive: true }));

  async function plan(...files: [name: string, text: string][]) {
    const paths = files.map(([name]) => join(folder, name));
    for (const [i, path] of paths.entries()) await writeFile(path, files[i][1]);
    const planned = await planRecordings(paths, join(folder, 'data'), 'mqtt://127.0.0.1:1883');
    return Promise.all(
      planned.map(async ({ id, configPath }) => ({
        id,
        config: JSON.parse(await readFile(configPath, 'utf8')) as {
          gateway: string;
          data: string;
          streams: Record<string, { format: string; pace: string; times: string }>;
        },
      })),
    );
  }

  it('knows candump text by its content, whatever the name', async () => {
    const [can, nmea, empty] = await plan(
      ['a.txt', '# a comment\n(1.5) can0 123#00\n'],
      ['b.candump', '$GPRMC,1*00\r\n'],
      ['empty', ''],
    );
    assert.deepEqual(Object.entries(can.config.streams)[0][1].format, 'candump');
    assert.deepEqual(Object.entries(nmea.config.streams)[0][1].format, 'lines');
    assert.deepEqual(Object.entries(empty.config.streams)[0][1].format, 'lines');
    assert.deepEqual([can.config.streams.can0.pace, can.config.streams.can0.times], ['original', 'now']);
  });

  it('makes an id of any file name, and a buffer of its own for each', async () => {
    const planned = await plan(['Ära 7 (copy).LOG', ''], ['___.log', ''], ['x.1', ''], ['x.2', '']);
    assert.deepEqual(
      planned.map(({ id }) => id),
      ['ra-7-copy', 'recording', 'x', 'x-2'],
    );
    assert.equal(new Set(planned.map(({ config }) => config.data)).size, 4);
  });
});

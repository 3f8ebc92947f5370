import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ledgerHash, type Ledger, type StreamEntry } from '#sim/ledger/ledger.js';
import { recordStream, speechOf } from '#sim/ledger/record.js';
import { streamsOf } from '#sim/vehicle/kinds.js';
import { CloudLog } from '#sim/verdict/cloud-log.js';
import type { StreamVerdict } from '#sim/verdict/judge-stream.js';
import { judge, type Verdict } from '#sim/verdict/verdict.js';
import { CloudDouble, type DoubleBatch } from '../support/cloud-double.js';
import { never } from '../support/source-options.js';
import { tempFolder } from '../support/temp-folder.js';

const startUs = 1_767_254_400_000_000;
const durationUs = 65e6;
const vehicle = { gateway: 'car', kind: 'truck', seed: 11, fixRateHz: 2 };
const recordsPerBatch = 10;

type Spoil = (batches: DoubleBatch[]) => unknown;

describe("the verdict on a cloud's log", function () {
  this.timeout(60_000);
  let entries: StreamEntry[];
  let texts: string[];

  before(async () => {
    await using folder = await tempFolder('verdict');
    entries = [];
    texts = [];
    for (const speaker of streamsOf(vehicle.kind)) {
      const path = join(folder.path, speaker.stream);
      entries.push(await recordStream(vehicle, speaker, speechOf(vehicle, startUs, durationUs), path));
      texts.push(await readFile(path, 'latin1'));
    }
  });

  const batchesOf = (text: string): DoubleBatch[] => {
    const lines = text.split(/(?<=\n)/);
    return Array.from({ length: Math.ceil(lines.length / recordsPerBatch) }, (_, i) =>
      lines.slice(i * recordsPerBatch, (i + 1) * recordsPerBatch),
    );
  };

  async function verdictOn(
    spoil: { can0?: Spoil; gps0?: Spoil },
    more: { origin?: string; gaps?: object[] } = {},
    streams = entries,
  ): Promise<Verdict> {
    const hash = ledgerHash(streams);
    const ledger: Ledger = {
      fleetlogLedger: 1,
      simulated: true,
      scenario: 'test',
      seed: 1,
      startUs,
      durationUs,
      hash,
      streams,
    };
    await using cloud = await CloudDouble.serve(
      (['can0', 'gps0'] as const).map((stream, i) => {
        const batches = batchesOf(texts[i]);
        spoil[stream]?.(batches);
        return { gateway: 'car', stream, batches, ...more };
      }),
    );
    return await judge(ledger, new CloudLog(cloud.url, never));
  }

  const countsOf = ({ lost, duplicated, altered, outOfOrder, explained }: StreamVerdict): object => ({
    lost,
    duplicated,
    altered,
    outOfOrder,
    explained,
  });
  const none = { lost: 0, duplicated: 0, altered: 0, outOfOrder: 0, explained: 0 };

  it('is flawless where the log holds what was said', async () => {
    const verdict = await verdictOn({});
    assert.equal(verdict.isFlawless, true);
    for (const stream of verdict.streams) {
      assert.equal(stream.logged, stream.sent);
      assert.deepEqual(countsOf(stream), none);
    }
    assert.ok(verdict.streams[0].sent > 15_000);
  });

  const faults: [name: string, spoil: { can0?: Spoil; gps0?: Spoil }, counts: Partial<typeof none>][] = [
    [
      'drops one batch in 10,000',
      {
        can0: (batches) => {
          const single = batches.flat().map((line): DoubleBatch => [line]);
          assert.ok(single.length > 10_000);
          single.splice(6789, 1);
          batches.splice(0, batches.length, ...single);
        },
      },
      { lost: 1 },
    ],
    ['drops the last batch', { gps0: (batches) => batches.pop() }, { lost: recordsPerBatch }],
    ['drops a whole minute', { gps0: (batches) => batches.splice(0, 48) }, { lost: 480 }],
    ['drops everything', { gps0: (batches) => batches.splice(0) }, { lost: 520 }],
    [
      'gives a batch twice',
      { can0: (batches) => batches.splice(500, 0, batches[500]) },
      { duplicated: recordsPerBatch },
    ],
    [
      'gives an old batch again at the end',
      { can0: (batches) => batches.push(batches[77]) },
      { duplicated: recordsPerBatch },
    ],
    [
      'alters one bit of one frame',
      {
        can0: (batches) => (batches[900] = batches[900].map((line, i) => (i === 3 ? flipped(line) : line))),
      },
      { altered: 1 },
    ],
    [
      'alters a time by a microsecond',
      { can0: (batches) => (batches[900] = batches[900].map((line, i) => (i === 3 ? later(line) : line))) },
      { altered: 1 },
    ],
    [
      'alters a sentence',
      { gps0: (batches) => (batches[20] = [...batches[20].slice(0, 9), '$GPXXX,*00\r\n']) },
      { altered: 1 },
    ],
    [
      'invents a record',
      { can0: (batches) => batches.splice(10, 0, ['(1767254401.000001) can0 123#00\n']) },
      { altered: 1 },
    ],
    [
      'swaps two batches',
      { can0: (batches) => batches.splice(400, 2, batches[401], batches[400]) },
      { outOfOrder: recordsPerBatch },
    ],
    [
      'gives a batch minutes too late',
      { can0: (batches) => batches.push(...batches.splice(100, 1)) },
      { outOfOrder: recordsPerBatch },
    ],
    [
      'loses one and gives another twice',
      { can0: (batches) => batches.splice(300, 2, batches[301], batches[301]) },
      { lost: recordsPerBatch, duplicated: recordsPerBatch },
    ],
  ];
  for (const [name, spoil, counts] of faults) {
    it(`catches a cloud that ${name}`, async () => {
      const verdict = await verdictOn(spoil);
      assert.equal(verdict.isFlawless, false);
      const spoilt = spoil.can0 ? 0 : 1;
      assert.deepEqual(countsOf(verdict.streams[spoilt]), { ...none, ...counts });
      assert.deepEqual(countsOf(verdict.streams[1 - spoilt]), none);
    });
  }

  it('takes what a gateway says that it gave up for explained, and nothing beyond', async () => {
    const gap = {
      state: 'explained',
      first: 6789,
      last: 6789,
      firstTime: '2026-01-01T08:00:30Z',
      lastTime: '2026-01-01T08:00:40Z',
    };
    const drop = (batches: DoubleBatch[]): unknown => batches.splice(800, 1);
    const explained = await verdictOn({ can0: drop }, { gaps: [{ ...gap, records: recordsPerBatch }] });
    assert.deepEqual(countsOf(explained.streams[0]), { ...none, explained: recordsPerBatch });
    assert.equal(explained.isFlawless, true);
    const less = await verdictOn({ can0: drop }, { gaps: [{ ...gap, records: 5 }] });
    assert.deepEqual(countsOf(less.streams[0]), { ...none, explained: 5, lost: recordsPerBatch - 5 });
    const elsewhere = await verdictOn(
      { can0: (batches) => batches.splice(-9, 1) },
      { gaps: [{ ...gap, records: 10 }] },
    );
    assert.deepEqual(countsOf(elsewhere.streams[0]), { ...none, lost: recordsPerBatch });
  });

  it('is not flawless where the cloud itself misses batches, or where records are not marked as simulated', async () => {
    const missing = await verdictOn({}, { gaps: [{ state: 'missing', first: 3, last: 4 }] });
    assert.equal(missing.streams[0].openBatches, 2);
    assert.equal(missing.isFlawless, false);
    const live = await verdictOn({}, { origin: 'live' });
    assert.deepEqual(live.unmarked, ['car/can0', 'car/gps0']);
    assert.equal(live.isFlawless, false);
  });

  it('counts where a ledger is of another version of the simulator, which cannot say the minute again', async () => {
    const foreign = entries.map((entry) => ({
      ...entry,
      minutes: entry.minutes.map(([minute, records]): StreamEntry['minutes'][number] => [
        minute,
        records + 1,
        '0123456789abcdef',
      ]),
    }));
    const verdict = await verdictOn({}, {}, foreign);
    assert.deepEqual(countsOf(verdict.streams[0]), { ...none, lost: 2 });
  });
});

const flipped = (line: string): string => line.replace(/.\n$/, (end) => (end === '0\n' ? '1\n' : '0\n'));
const later = (line: string): string =>
  line.replace(/\.(\d{6})/, (_, micros: string) => `.${String(Number(micros) + 1).padStart(6, '0')}`);

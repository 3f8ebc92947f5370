import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { realDataFolder, realRecordings, type Recording } from '../support/chaos/recordings.js';
import { CollectingSink } from '../support/collecting-sink.js';
import { candumpFile, linesFile, never, sourceOf } from '../support/source-options.js';
import { tempFolder } from '../support/temp-folder.js';

describe('real recordings', () => {
  let recordings: Recording[];
  before(async function () {
    recordings = await realRecordings();
    if (recordings.length > 0) return;
    console.log(`      skipped: there are none in ${realDataFolder}`);
    this.skip();
  });

  async function through({ format, bytes }: Recording) {
    await using folder = await tempFolder('recording');
    const path = join(folder.path, 'drive.log');
    await writeFile(path, bytes);
    const sink = new CollectingSink();
    const source = sourceOf(format === 'candump' ? candumpFile(path) : linesFile(path));
    await source.run(sink, undefined, never);
    assert.ok(Buffer.from(sink.text(), 'latin1').equals(bytes), 'what came in comes out');
    assert.equal(source.counters.malformed, 0);
    assert.equal(source.counters.positionBytes, bytes.length);
    return { counters: source.counters, times: sink.timesUs() };
  }

  it('of CAN buses and GPS receivers go through the file source byte for byte', async () => {
    assert.ok(recordings.length >= 14);
    for (const recording of recordings) await through(recording);
  });

  it('of GPS receivers come in the order of their event times', async () => {
    for (const recording of recordings.filter(({ format }) => format === 'lines')) {
      const { times } = await through(recording);
      for (let i = 1; i < times.length; i++)
        assert.ok(times[i] >= times[i - 1], `${recording.name}: line ${i}`);
    }
  });

  it('of GPS receivers have the times that their sentences tell', async () => {
    const spans: Record<string, [first: string, last: string]> = {
      'beidou-bd': ['2015-02-25T07:41:50.799Z', '2015-02-25T07:41:59.799Z'],
      'ublox-8': ['2017-01-10T00:09:41.000Z', '2017-01-10T00:10:52.000Z'], // its last RMC is cut off
      'nmea-rtk': ['2020-03-18T13:28:19.600Z', '2020-03-18T13:39:01.500Z'],
    };
    for (const [name, expected] of Object.entries(spans)) {
      const { times, counters } = await through(recordings.find((recording) => recording.name === name)!);
      const iso = (timeUs: number): string => new Date(timeUs / 1000).toISOString();
      assert.deepEqual([iso(times[0]), iso(times.at(-1)!)], expected, name);
      assert.equal(counters.timeReversals, 0, name);
    }
  });
});

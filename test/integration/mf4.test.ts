import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CAN_EFF_FLAG,
  CAN_EFF_MASK,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  FRAME_BRS,
  FRAME_ESI,
  FRAME_FD,
  FRAME_TX,
  type CanFrames,
} from '@fleetlog/shared/can';
import { Mf4Formatter } from '#cloud/export/mf4.js';
import { importedFrames } from '../support/imported-frames.js';
import { mixedFrames } from '../support/mixed-frames.js';
import { tempFolder } from '../support/temp-folder.js';
import { writeExport } from '../support/write-export.js';

const python = process.env['FLEETLOG_TEST_PYTHON'] ?? 'python3';

/** As asammdf tells them. */
const expected = (frames: CanFrames): unknown[] =>
  Array.from({ length: frames.count }, (_, i) => {
    const id = frames.id[i];
    const flags = frames.flags[i];
    const BusChannel = Number(frames.buses[frames.bus[i]].slice(-1)) + 1;
    if (id & CAN_ERR_FLAG) return [frames.timeUs(i), 'CAN_ErrorFrame', { BusChannel, ErrorType: 0 }];
    const data = frames.data.subarray(frames.dataStart[i], frames.dataStart[i + 1]);
    const common = {
      ID: id & CAN_EFF_MASK,
      IDE: id & CAN_EFF_FLAG ? 1 : 0,
      BusChannel,
      Dir: flags & FRAME_TX ? 1 : 0,
      DLC: frames.dlc[i],
      DataLength: data.length,
    };
    if (id & CAN_RTR_FLAG) return [frames.timeUs(i), 'CAN_RemoteFrame', common];
    const isFd = (flags & FRAME_FD) !== 0;
    const bits = {
      EDL: isFd ? 1 : 0,
      BRS: isFd && flags & FRAME_BRS ? 1 : 0,
      ESI: isFd && flags & FRAME_ESI ? 1 : 0,
    };
    const hex = Buffer.from(data).toString('hex');
    return [frames.timeUs(i), 'CAN_DataFrame', { ...common, ...bits, data: hex }];
  });

describe('MF4 exports', () => {
  it('hold every frame for asammdf, finished or cut off before the head was known', async function () {
    if (spawnSync(python, ['-c', 'import asammdf']).status !== 0) {
      console.log(`      skipped: ${python} has no asammdf`);
      this.skip();
    }
    await using folder = await tempFolder('mf4');
    const frames = mixedFrames(5, 5000);
    const finished = join(folder.path, 'finished.mf4');
    await writeExport(finished, 'mf4', frames);
    const streamed = join(folder.path, 'streamed.mf4');
    writeFileSync(streamed, written(frames));
    for (const path of [finished, streamed]) {
      const text = execFileSync(python, ['test/support/read_with_asammdf.py', path], {
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
      });
      const read = text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
      assert.deepEqual(read, expected(frames), path);
    }
  });

  it('are the same but for the head, which is as long in both', async () => {
    await using folder = await tempFolder('mf4');
    const frames = mixedFrames(6, 2000);
    const path = join(folder.path, 'export.mf4');
    await writeExport(path, 'mf4', frames);
    const finished = readFileSync(path);
    const streamed = written(frames);
    const head = new Mf4Formatter();
    head.end();
    const headBytes = head.finalHead().length;
    assert.ok(finished.subarray(headBytes).equals(streamed.subarray(headBytes)));
    assert.equal(finished.toString('latin1', 0, 8), 'MDF     ');
    assert.equal(streamed.toString('latin1', 0, 8), 'UnFinMF ');
  });

  it('come back through the import with times, identifiers and data; error frames without their cause', async () => {
    await using folder = await tempFolder('mf4');
    const frames = mixedFrames(7, 3000);
    const path = join(folder.path, 'export.mf4');
    await writeExport(path, 'mf4', frames);
    const { frames: read, problems } = await importedFrames(path, 'mf4');
    assert.deepEqual(problems, []);
    assert.equal(read.length, frames.count);
    for (let i = 0; i < frames.count; i++) {
      const id = frames.id[i];
      const isError = (id & CAN_ERR_FLAG) !== 0;
      const data = frames.data.subarray(frames.dataStart[i], frames.dataStart[i + 1]);
      const { timeUs, id: readId, extended, data: readData } = read[i];
      assert.deepEqual(
        { timeUs, readId, extended, readData },
        {
          timeUs: frames.timeUs(i),
          readId: isError ? 0 : id & CAN_EFF_MASK,
          extended: !isError && (id & CAN_EFF_FLAG) !== 0,
          readData: isError ? '00'.repeat(8) : Buffer.from(data).toString('hex'),
        },
      );
    }
  });
});

function written(frames: CanFrames): Buffer {
  const formatter = new Mf4Formatter();
  const pieces: Buffer[] = [];
  for (let from = 0; from < frames.count; from += 700) {
    const to = Math.min(frames.count, from + 700);
    pieces.push(Buffer.from(formatter.format({ kind: 'can', columns: frames }, from, to)));
  }
  return Buffer.concat([...pieces, formatter.end()]);
}

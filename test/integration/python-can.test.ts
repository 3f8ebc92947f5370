import assert from 'node:assert/strict';
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
  fdDlcByLength,
  type CanFrames,
} from '@fleetlog/shared/can';
import type { FormatName } from '#cloud/export/formats.js';
import { mixedFrames } from '../support/mixed-frames.js';
import { pythonCanVersion, readWithPythonCan, type PythonMessage } from '../support/python-can.js';
import { tempFolder } from '../support/temp-folder.js';
import { writeExport } from '../support/write-export.js';

/** What a reader should see that loses nothing; channels count from 0. */
const expected = (frames: CanFrames): PythonMessage[] =>
  Array.from({ length: frames.count }, (_, i) => {
    const id = frames.id[i];
    const flags = frames.flags[i];
    const isFd = (flags & FRAME_FD) !== 0;
    const data = frames.data.subarray(frames.dataStart[i], frames.dataStart[i + 1]);
    return {
      timeUs: frames.timeUs(i),
      channel: frames.bus[i],
      type: id & CAN_ERR_FLAG ? 'error' : id & CAN_RTR_FLAG ? 'remote' : isFd ? 'fd' : 'data',
      id: id & CAN_EFF_MASK,
      extended: (id & CAN_EFF_FLAG) !== 0,
      brs: isFd && (flags & FRAME_BRS) !== 0,
      esi: isFd && (flags & FRAME_ESI) !== 0,
      rx: (flags & FRAME_TX) === 0,
      dlc: isFd ? data.length : frames.dlc[i],
      data: Buffer.from(data).toString('hex'),
    };
  });

describe('exports and python-can', () => {
  const frames = mixedFrames(20_261_123, 5000);
  const version = pythonCanVersion();

  before(function () {
    if (version) return;
    console.log('      skipped: python3 has no python-can');
    this.skip();
  });

  /** Writes, lets Python read. */
  async function readBack(name: FormatName): Promise<PythonMessage[]> {
    await using folder = await tempFolder('python-can');
    const path = join(folder.path, `export.${name}`);
    await writeExport(path, name, frames);
    return readWithPythonCan(path);
  }

  it('agree on every frame of a blf file', async function () {
    this.timeout(60_000);
    // The library takes the DLC of an error frame for that of CAN FD, which is the same up to 8.
    assert.deepEqual(await readBack('blf'), expected(frames));
  });

  it('agree on every frame of an asc file, but for what the format has no place for', async function () {
    this.timeout(60_000);
    const known = expected(frames).map((message) =>
      message.type === 'error' ? { ...message, id: 0, extended: true, dlc: 0, data: '' } : message,
    );
    assert.deepEqual(await readBack('asc'), known);
  });

  it('agree on every frame of a trc file, but for error frames, which it leaves out', async function () {
    this.timeout(60_000);
    const [major, minor] = version!;
    const readsAll = major > 4 || (major === 4 && minor >= 5);
    const known = expected(frames)
      .filter(({ type }) => (readsAll ? type !== 'error' : type === 'data'))
      .map((message) => ({
        ...message,
        channel: message.channel + 1, // as in the file
        dlc: message.type === 'fd' ? fdDlcByLength[message.dlc] : message.dlc, // it gives the code
      }));
    const read = await readBack('trc');
    const startUs = readsAll ? 0 : known[0].timeUs - read[0].timeUs; // older ones don't read when it began
    assert.deepEqual(
      read.map((message) => ({ ...message, timeUs: message.timeUs + startUs })),
      known,
    );
  });
});

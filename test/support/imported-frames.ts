import { decodeCan } from '@fleetlog/shared/can';
import { encodeBatch, decodeBatch } from '@fleetlog/shared/batch';
import { importFormats, type ImportFormat } from '#cloud/import/formats.js';
import { RecordingOut } from '#cloud/import/out.js';
import { Recording } from '#cloud/import/recording.js';
import {
  CAN_EFF_FLAG,
  CAN_EFF_MASK,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  FRAME_BRS,
  FRAME_ESI,
  FRAME_FD,
  FRAME_TX,
} from '@fleetlog/shared/can';
import { headerFor } from './batches.js';
import type { PythonMessage } from './python-can.js';

/** The frames of a recording as the import reads them, in the form that python-can's are told in; and what was left out. */
export async function importedFrames(
  path: string,
  format: ImportFormat,
): Promise<{ frames: PythonMessage[]; problems: string[] }> {
  await using recording = await Recording.open(path);
  const out = new RecordingOut();
  const frames: PythonMessage[] = [];
  const take = (): void => {
    for (const { payload } of out.sealed.splice(0)) {
      const columns = decodeCan(decodeBatch(encodeBatch(headerFor(payload), payload.payload)));
      for (let i = 0; i < columns.count; i++) {
        const id = columns.id[i];
        const flags = columns.flags[i];
        const isFd = (flags & FRAME_FD) !== 0;
        const data = columns.data.subarray(columns.dataStart[i], columns.dataStart[i + 1]);
        frames.push({
          timeUs: columns.timeUs(i),
          channel: Number(columns.buses[columns.bus[i]].slice(3)),
          type: id & CAN_ERR_FLAG ? 'error' : id & CAN_RTR_FLAG ? 'remote' : isFd ? 'fd' : 'data',
          id: id & CAN_EFF_MASK,
          extended: (id & CAN_EFF_FLAG) !== 0,
          brs: isFd && (flags & FRAME_BRS) !== 0,
          esi: isFd && (flags & FRAME_ESI) !== 0,
          rx: (flags & FRAME_TX) === 0,
          dlc: isFd ? data.length : columns.dlc[i],
          data: Buffer.from(data).toString('hex'),
        });
      }
    }
  };
  for await (const _ of importFormats[format](recording, out, { zoneUs: 0 })) take();
  out.end();
  take();
  return { frames, problems: out.problems.map(({ where, text }) => `${where}: ${text}`) };
}

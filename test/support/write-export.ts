import { open } from 'node:fs/promises';
import type { CanFrames } from '@fleetlog/shared/can';
import type { Formatter } from '#cloud/export/formatter.js';
import { formats, type FormatName } from '#cloud/export/formats.js';

export const exportedAs = { gateway: 'truck-17', stream: 'can0' };

/** A file of these frames, written run by run as an export does. */
export async function writeExport(path: string, name: FormatName, frames: CanFrames): Promise<void> {
  const formatter: Formatter = formats[name].create({ several: false });
  await using file = await open(path, 'w');
  for (let from = 0; from < frames.count; from += 700) {
    const to = Math.min(frames.count, from + 700);
    await file.write(formatter.format({ kind: 'can', columns: frames }, from, to, exportedAs));
  }
  if (formatter.end) await file.write(formatter.end());
  const head = formatter.finalHead?.();
  if (head) await file.write(head, 0, head.length, 0);
}

import { extname } from 'node:path';
import { FleetlogError } from '@fleetlog/shared/errors';
import { readAsc } from './asc.js';
import { readBlf } from './blf.js';
import { readCandump } from './candump.js';
import { readGvret } from './gvret.js';
import { readMcap } from './mcap.js';
import { readMf4 } from './mf4.js';
import type { Reader } from './reader.js';
import type { Recording } from './recording.js';
import { readTrc } from './trc.js';

/** What can be imported, by the name that people give. */
export const importFormats = {
  candump: readCandump,
  asc: readAsc,
  blf: readBlf,
  trc: readTrc,
  gvret: readGvret,
  mf4: readMf4,
  mcap: readMcap,
} as const satisfies Record<string, Reader>;

export type ImportFormat = keyof typeof importFormats;

const byExtension: Readonly<Record<string, ImportFormat>> = {
  '.asc': 'asc',
  '.trc': 'trc',
  '.candump': 'candump',
};

/** By what the file begins with, else by its extension. Errors: FLEETLOG_USAGE where nothing tells. */
export async function formatOf(recording: Recording): Promise<ImportFormat> {
  const head = (await recording.read(0, 4096)).toString('latin1');
  if (head.startsWith('LOGG')) return 'blf';
  if (/^(MDF|UnFinMF) /.test(head)) return 'mf4';
  if (head.startsWith('\x89MCAP')) return 'mcap';
  if (/^\s*\(\d+\.\d+\) \S+ \S+#/.test(head)) return 'candump';
  if (head.startsWith('Time Stamp,ID,Extended,')) return 'gvret';
  if (/^;(\$FILEVERSION|#{5})/m.test(head)) return 'trc';
  if (/^\s*(date \S+ .*\r?\n\s*)?base (hex|dec)/m.test(head)) return 'asc';
  const format = byExtension[extname(recording.path).toLowerCase()];
  if (format) return format;
  throw new FleetlogError(
    'FLEETLOG_USAGE',
    `What ${recording.path} is can't be seen from its beginning; say --format ${Object.keys(importFormats).join(', ')}.`,
  );
}

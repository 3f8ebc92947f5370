import { streamKinds, type StreamKind } from '@fleetlog/shared/batch';
import { CandumpFormatter } from '@fleetlog/shared/can';
import { FleetlogError } from '@fleetlog/shared/errors';
import { AscFormatter } from './asc.js';
import { BlfFormatter } from './blf.js';
import { CsvFormatter } from './csv.js';
import type { Formatter } from './formatter.js';
import { NdjsonFormatter } from './ndjson.js';
import { TrcFormatter } from './trc.js';

interface Format {
  contentType: string;
  kinds: readonly StreamKind[];
  create(): Formatter;
}

/** All formats, by the name that people give. */
export const formats = {
  candump: { contentType: 'text/plain; charset=utf-8', kinds: ['can'], create: () => candump() },
  lines: { contentType: 'application/octet-stream', kinds: ['lines'], create: () => lines },
  ndjson: { contentType: 'application/x-ndjson', kinds: streamKinds, create: () => new NdjsonFormatter() },
  csv: {
    contentType: 'text/csv; charset=utf-8',
    kinds: ['can', 'samples'],
    create: () => new CsvFormatter(),
  },
  asc: { contentType: 'text/plain; charset=utf-8', kinds: ['can'], create: () => new AscFormatter() },
  trc: { contentType: 'text/plain; charset=utf-8', kinds: ['can'], create: () => new TrcFormatter() },
  blf: { contentType: 'application/octet-stream', kinds: ['can'], create: () => new BlfFormatter() },
} as const satisfies Record<string, Format>;

export type FormatName = keyof typeof formats;

/** Errors: FLEETLOG_USAGE, with the formats that fit, where this one can't write records of that kind. */
export function formatFor(name: FormatName, kind: StreamKind): Format {
  const format: Format = formats[name];
  if (format.kinds.includes(kind)) return format;
  const fitting = Object.entries<Format>(formats)
    .filter(([, { kinds }]) => kinds.includes(kind))
    .map(([fit]) => fit);
  const choice = `${fitting.slice(0, -1).join(', ')} or ${fitting.at(-1)}`;
  throw new FleetlogError(
    'FLEETLOG_USAGE',
    `The format ${name} can't write a stream of kind ${kind}; choose ${choice}.`,
  );
}

/** What people most likely want of a stream of that kind. */
export const defaultFormat = (kind: StreamKind): FormatName =>
  kind === 'can' ? 'candump' : kind === 'lines' ? 'lines' : 'ndjson';

/** The form of `candump -L`: what came in from such a recording comes out byte for byte. */
function candump(): Formatter {
  const formatter = new CandumpFormatter();
  return {
    kinds: ['can'],
    format: ({ kind, columns }, from, to) =>
      kind === 'can' ? formatter.format(columns, from, to) : new Uint8Array(0),
  };
}

/** The bytes of each line as they came, line ends included. */
const lines: Formatter = {
  kinds: ['lines'],
  format: ({ kind, columns }, from, to) =>
    kind === 'lines'
      ? columns.bytes.subarray(columns.lineStart[from], columns.lineStart[to])
      : new Uint8Array(0),
};

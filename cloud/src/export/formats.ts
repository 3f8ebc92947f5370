import { streamKinds, type StreamKind } from '@fleetlog/shared/batch';
import { CandumpFormatter } from '@fleetlog/shared/can';
import { FleetlogError } from '@fleetlog/shared/errors';
import { AscFormatter } from './asc.js';
import { BlfFormatter } from './blf.js';
import { CsvFormatter } from './csv.js';
import type { Formatter } from './formatter.js';
import { McapFormatter } from './mcap.js';
import { Mf4Formatter } from './mf4.js';
import { NdjsonFormatter } from './ndjson.js';
import { ParquetFormatter } from './parquet.js';
import { GeojsonFormatter, GpxFormatter } from './tracks.js';
import { TrcFormatter } from './trc.js';

interface Format {
  contentType: string;
  kinds: readonly StreamKind[];
  /** Streams in one export: one, several of a gateway (told apart by the names of their interfaces), or any. */
  streams: 'one' | 'of-gateway' | 'any';
  create(options: { several: boolean }): Formatter;
}

const text = 'text/plain; charset=utf-8';
const binary = 'application/octet-stream';

/** All formats, by the name that people give. */
export const formats = {
  candump: { contentType: text, kinds: ['can'], streams: 'of-gateway', create: () => candump() },
  lines: { contentType: binary, kinds: ['lines'], streams: 'one', create: () => lines },
  ndjson: {
    contentType: 'application/x-ndjson',
    kinds: streamKinds,
    streams: 'any',
    create: ({ several }) => new NdjsonFormatter(several),
  },
  csv: {
    contentType: 'text/csv; charset=utf-8',
    kinds: ['can', 'samples'],
    streams: 'any',
    create: ({ several }) => new CsvFormatter(several),
  },
  parquet: {
    contentType: 'application/vnd.apache.parquet',
    kinds: ['can'],
    streams: 'any',
    create: () => new ParquetFormatter(),
  },
  mcap: { contentType: binary, kinds: streamKinds, streams: 'any', create: () => new McapFormatter() },
  gpx: {
    contentType: 'application/gpx+xml',
    kinds: ['lines'],
    streams: 'one',
    create: () => new GpxFormatter(),
  },
  geojson: {
    contentType: 'application/geo+json',
    kinds: ['lines'],
    streams: 'any',
    create: () => new GeojsonFormatter(),
  },
  asc: { contentType: text, kinds: ['can'], streams: 'of-gateway', create: () => new AscFormatter() },
  trc: { contentType: text, kinds: ['can'], streams: 'of-gateway', create: () => new TrcFormatter() },
  blf: { contentType: binary, kinds: ['can'], streams: 'of-gateway', create: () => new BlfFormatter() },
  mf4: { contentType: binary, kinds: ['can'], streams: 'of-gateway', create: () => new Mf4Formatter() },
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

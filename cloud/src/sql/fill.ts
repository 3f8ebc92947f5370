import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Gateways, Streams } from '../api/schemas.js';
import type { Signals } from '../api/signal-schemas.js';
import { isoMicros } from '../export/iso-time.js';
import { csvParts } from './csv-parts.js';
import { literal } from './tables.js';
import type { Wanted } from './wanted.js';

/** What the cloud answers, as the operators' command asks it. */
export interface CloudAnswers {
  json<T>(path: string, query?: Record<string, string | undefined>): Promise<{ body: T }>;
  stream(
    path: string,
    query: Record<string, string | readonly string[] | undefined>,
    options: { silenceMsMax: number },
  ): Promise<{
    chunks: AsyncIterable<Uint8Array>;
    /** Known when the chunks have ended. */
    trailers: () => Partial<Record<string, string>>;
  }>;
}

export interface FillOptions {
  connection: DuckDBConnection;
  api: CloudAnswers;
  /** For what is under way. */
  folder: string;
  /** Called for every part that came. */
  onBytes: (bytes: number) => void;
}

const silenceMsMax = 120_000;
const partBytes = 128 * 1024 * 1024;
/** Of one request: names are long, and a request's head has a limit. */
const signalsAtOnce = 64;

type Stream = Streams['streams'][number];

/** Fills the tables of DuckDB with what the cloud has. */
export class Filler {
  constructor(private readonly options: FillOptions) {}

  /** Gateways and streams: all of them. Returns the streams. */
  async small(): Promise<Stream[]> {
    const { api, connection } = this.options;
    const [{ body: gateways }, { body: streams }] = await Promise.all([
      api.json<Gateways>('/v1/gateways'),
      api.json<Streams>('/v1/streams'),
    ]);
    await insert(
      connection,
      'gateways',
      gateways.gateways.map((row) => [
        row.gateway,
        row.connected,
        row.lastSeen,
        row.streams,
        row.batches,
        row.records,
        row.bytes,
        row.firstTime,
        row.lastTime,
      ]),
    );
    await insert(
      connection,
      'streams',
      streams.streams.map((row) => [
        row.gateway,
        row.stream,
        row.kind,
        row.batches,
        row.records,
        row.bytes,
        row.firstTime,
        row.lastTime,
      ]),
    );
    return streams.streams;
  }

  async frames({ gateway, stream }: Stream, wanted: Wanted): Promise<void> {
    const columns = {
      time: 'TIMESTAMPTZ',
      bus: 'VARCHAR',
      id: 'VARCHAR',
      extended: 'BOOLEAN',
      type: 'VARCHAR',
      brs: 'BOOLEAN',
      esi: 'BOOLEAN',
      direction: 'VARCHAR',
      dlc: 'UTINYINT',
      data: 'VARCHAR',
    };
    const query = { gateway, stream, format: 'csv', ...rangeOf(wanted) };
    await this.take(
      '/v1/export',
      query,
      columns,
      (source) =>
        `INSERT INTO frames SELECT time, ${literal(gateway)}, ${literal(stream)}, bus, ('0x' || id)::UINTEGER, extended,
        type, brs, esi, direction, dlc, coalesce(unhex(data), ''::BLOB) FROM ${source}`,
    );
  }

  /** Returns how many signals of the gateway were asked for. */
  async signals(gateway: string, wanted: Wanted): Promise<number> {
    const { body } = await this.options.api.json<Signals>('/v1/signals', { gateway });
    const isWanted = (column: string, value: string): boolean =>
      wanted.values.get(column)?.has(value) ?? true;
    const names = body.signals
      .map(({ name }) => name)
      .filter(
        (name) =>
          isWanted('signal', name) &&
          isWanted('stream', name.slice(0, name.indexOf('/'))) &&
          isWanted('name', name.slice(name.lastIndexOf('/') + 1)),
      );
    const unique = [...new Set(names)];
    for (let at = 0; at < unique.length; at += signalsAtOnce) {
      const signal = unique.slice(at, at + signalsAtOnce);
      const query = { gateway, signal, layout: 'long', format: 'csv' };
      const columns = { time: 'TIMESTAMPTZ', signal: 'VARCHAR', value: 'DOUBLE' };
      const statement = (source: string): string =>
        `INSERT INTO signals SELECT time, ${literal(gateway)}, signal[:instr(signal, '/') - 1], signal,
          signal[length(signal) - instr(reverse(signal), '/') + 2:], value FROM ${source}`;
      let range = rangeOf(wanted);
      for (;;) {
        const trailers = await this.take('/v1/query', { ...query, ...range }, columns, statement);
        // The cloud ends a long answer, and says where the next one begins.
        const stopped = trailers['fleetlog-stopped'];
        if (stopped === undefined) break;
        const from = stopped.split(' ')[1];
        if (from === undefined) {
          throw new FleetlogError(
            'FLEETLOG_INTERRUPTED',
            'The cloud gave up before it found a value; ask for a shorter range of time.',
          );
        }
        range = { ...range, from };
      }
    }
    return unique.length;
  }

  private async take(
    path: string,
    query: Record<string, string | readonly string[] | undefined>,
    columns: Record<string, string>,
    statementOf: (source: string) => string,
  ): Promise<Partial<Record<string, string>>> {
    const { api, connection, folder, onBytes } = this.options;
    const { chunks, trailers } = await api.stream(path, query, { silenceMsMax });
    const file = join(folder, 'part.csv');
    const types = Object.entries(columns).map(([name, type]) => `${literal(name)}: ${literal(type)}`);
    const source = `read_csv(${literal(file)}, header=true, auto_detect=false, delim=',', quote='"', escape='"',
      columns={${types.join(', ')}})`;
    for await (const bytes of csvParts(chunks, file, partBytes)) {
      await connection.run(statementOf(source));
      onBytes(bytes);
    }
    return trailers();
  }
}

const rangeOf = ({ fromUs, toUs }: Wanted): { from?: string; to?: string } => ({
  ...(fromUs > -Infinity && { from: isoMicros(fromUs) }),
  ...(toUs < Infinity && { to: isoMicros(toUs) }),
});

type Cell = string | number | boolean | undefined;

async function insert(
  connection: DuckDBConnection,
  table: string,
  rows: readonly (readonly Cell[])[],
): Promise<void> {
  if (rows.length === 0) return;
  const cell = (value: Cell): string =>
    value === undefined ? 'NULL' : typeof value === 'string' ? literal(value) : String(value);
  const values = rows.map((row) => `(${row.map(cell).join(', ')})`);
  await connection.run(`INSERT INTO ${table} VALUES ${values.join(',\n')}`);
}

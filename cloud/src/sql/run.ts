import type { Json } from '@duckdb/node-api';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Streams } from '../api/schemas.js';
import { SqlDatabase } from './database.js';
import { Filler, type CloudAnswers } from './fill.js';
import { rowsOf } from './rows.js';
import type { Wanted } from './wanted.js';

export interface SqlAnswer extends AsyncDisposable {
  columns: readonly string[];
  /** In portions. */
  rows: AsyncIterable<Json[][]>;
}

export interface SqlRequest {
  api: CloudAnswers;
  statement: string;
  /** However much it needs. */
  all: boolean;
  onBytes: (bytes: number) => void;
  onNote: (note: string) => void;
}

/** Records of the streams that a statement may touch without saying when: minutes of waiting, gigabytes of disk. */
const recordsMax = 20_000_000;

type Stream = Streams['streams'][number];

/**
 * Answers a statement out of the cloud's log: DuckDB plans it, what it would read is fetched, then it runs.
 * Errors: FLEETLOG_USAGE, what the cloud answers.
 */
export async function runSql({ api, statement, all, onBytes, onNote }: SqlRequest): Promise<SqlAnswer> {
  await using resources = new AsyncDisposableStack();
  const database = resources.use(await SqlDatabase.create());
  const { connection, folder } = database;
  const filler = new Filler({ connection, api, folder, onBytes });
  const wanted = await database.plan(statement);
  const streams = await filler.small();

  const frames = wanted.get('frames');
  if (frames) {
    const touched = touchedStreams(streams, frames).filter(({ kind }) => kind === 'can');
    if (!all) checkEffort(touched, frames);
    for (const stream of touched) await filler.frames(stream, frames);
  }
  const signals = wanted.get('signals');
  if (signals) {
    const touched = touchedStreams(streams, signals);
    if (!all) checkEffort(touched, signals);
    let count = 0;
    for (const gateway of new Set(touched.map((stream) => stream.gateway)))
      count += await filler.signals(gateway, signals);
    if (count === 0)
      onNote(
        'no signal fits; "fleetlog signals --gateway G" lists them, "fleetlog assign" says what frames mean.',
      );
  }
  const result = await database.run(statement);
  const own = resources.move();
  return {
    columns: result.deduplicatedColumnNames(),
    rows: rowsOf(result),
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  };
}

/** The streams that a table can need something of. */
function touchedStreams(streams: readonly Stream[], { fromUs, toUs, values }: Wanted): Stream[] {
  const fits = (column: string, value: string): boolean => values.get(column)?.has(value) ?? true;
  return streams.filter(
    ({ gateway, stream, firstTime, lastTime }) =>
      fits('gateway', gateway) &&
      fits('stream', stream) &&
      microsOf(firstTime) < toUs &&
      microsOf(lastTime) + 1000 > fromUs,
  );
}

/** Errors: FLEETLOG_USAGE where the statement doesn't say when, and there is much. */
function checkEffort(streams: readonly Stream[], { fromUs, toUs }: Wanted): void {
  const records = streams.reduce((sum, stream) => sum + stream.records * shareOf(stream, fromUs, toUs), 0);
  if (records <= recordsMax) return;
  throw new FleetlogError(
    'FLEETLOG_USAGE',
    `The statement needs about ${Math.round(records / 1e6).toLocaleString('en')} million records of ${streams.length} ` +
      "streams; limit it with WHERE time >= '…' AND time < '…' or by gateway, or give --all.",
  );
}

/** How much of a stream is in a range, as if it came evenly. */
function shareOf({ firstTime, lastTime }: Stream, fromUs: number, toUs: number): number {
  const first = microsOf(firstTime);
  const last = microsOf(lastTime);
  if (last <= first) return 1;
  return Math.max(0, Math.min(last, toUs) - Math.max(first, fromUs)) / (last - first);
}

/** To the millisecond, cut. */
const microsOf = (iso: string | undefined): number => (iso === undefined ? NaN : Date.parse(iso) * 1000);

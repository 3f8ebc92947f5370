import { text } from 'node:stream/consumers';
import type { Json } from '@duckdb/node-api';
import type { Command } from 'commander';
import { FleetlogError } from '@fleetlog/shared/errors';
import { csvText } from '../export/csv-text.js';
import { runSql, type SqlAnswer } from '../sql/run.js';
import { tableNotes } from '../sql/tables.js';
import { contextOf, createSubcommand, type CliContext, type CliStreams } from './fleetlog-context.js';
import { Progress } from './fleetlog-progress.js';
import { count, oneLine, table } from './fleetlog-table.js';

interface SqlOptions {
  format: string;
  all: boolean;
}

/** Rows of a table that a terminal is given at one time, under widths of their own. */
const tablePortion = 1000;

const writers: Record<string, (answer: SqlAnswer) => AsyncGenerator<string>> = {
  table: tableOf,
  csv: csvOf,
  ndjson: ndjsonOf,
};

export function sqlCommand(streams: CliStreams): Command {
  return createSubcommand(
    'sql',
    'Asks the log in SQL (DuckDB). Only what the statement can need comes from the cloud: limit time, gateway, ' +
      `stream and signal in its WHERE. Without a statement it is read from stdin.\n\n${tableNotes}`,
    [
      `fleetlog sql "select gateway, sum(records) from streams group by all"`,
      `fleetlog sql "select hex(id), count(*) from frames where gateway = 'truck-17' and time > now() - interval 5 minutes group by id"`,
      `fleetlog sql "select time_bucket(interval '1 minute', time) as minute, max(value) from signals where name = 'EngineSpeed' and time >= '2026-11-22' group by minute order by minute"`,
      `fleetlog sql "copy (from frames where time >= '2026-11-22' and time < '2026-11-23') to 'day.parquet'"`,
    ],
  )
    .argument('[statement]', 'one SQL statement')
    .option('--format <name>', 'table, csv or ndjson', 'table')
    .option('--all', 'also where the statement needs very much of the log', false)
    .action(async (statement: string | undefined, { format, all }: SqlOptions, command: Command) => {
      const context = contextOf(command, streams);
      const write = writers[context.json ? 'ndjson' : format];
      if (!write) {
        throw new FleetlogError(
          'FLEETLOG_USAGE',
          `There is no format ${format}; choose table, csv or ndjson.`,
        );
      }
      await run(context, statement ?? (await text(process.stdin)), all, write);
    });
}

async function run(
  { api, out, stderr }: CliContext,
  statement: string,
  all: boolean,
  write: (answer: SqlAnswer) => AsyncGenerator<string>,
): Promise<void> {
  const progress = new Progress(stderr);
  await using answer = await runSql({
    api,
    statement,
    all,
    onBytes: (bytes) => progress.add(bytes),
    onNote: (note) => stderr.write(`fleetlog: ${note}\n`),
  });
  progress.end();
  for await (const part of write(answer)) await out.write(part);
  await out.finish();
}

async function* tableOf({ columns, rows }: SqlAnswer): AsyncGenerator<string> {
  const titles = columns.map((title, k) => ({
    title: oneLine(title),
    text: (row: readonly Json[]) => cell(row[k]),
  }));
  let portion: (readonly Json[])[] = [];
  let total = 0;
  const take = (): string => {
    const right = columns.map((_, k) =>
      portion.every((row) => row[k] === null || typeof row[k] === 'number'),
    );
    const shown = table(
      portion,
      titles.map((title, k) => ({ ...title, right: right[k] })),
    );
    portion = [];
    return shown;
  };
  for await (const some of rows) {
    portion.push(...some);
    total += some.length;
    if (portion.length >= tablePortion) yield take();
  }
  if (portion.length > 0) yield take();
  if (total === 0) yield `${columns.map(oneLine).join('  ')}\n(no rows)\n`;
  else if (total > 20) yield `(${count(total)} rows)\n`;
}

async function* csvOf({ columns, rows }: SqlAnswer): AsyncGenerator<string> {
  yield `${columns.map(csvText).join(',')}\n`;
  for await (const some of rows)
    yield some.map((row) => `${row.map((value) => csvText(plain(value))).join(',')}\n`).join('');
}

async function* ndjsonOf({ columns, rows }: SqlAnswer): AsyncGenerator<string> {
  for await (const some of rows)
    yield some
      .map((row) => `${JSON.stringify(Object.fromEntries(columns.map((name, k) => [name, row[k]])))}\n`)
      .join('');
}

const plain = (value: Json): string =>
  value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);

/** Numbers to 12 digits, which hides the rounding of 2781 × 0.01; csv and ndjson have all of them. */
const cell = (value: Json): string =>
  oneLine(typeof value === 'number' ? String(Number(value.toPrecision(12))) : plain(value));

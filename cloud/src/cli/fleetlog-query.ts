import type { Command } from 'commander';
import { FleetlogError } from '@fleetlog/shared/errors';
import { contextOf, createSubcommand, noteLag, type CliStreams } from './fleetlog-context.js';
import { oneLine } from './fleetlog-table.js';

interface QueryOptions {
  gateway: string;
  signal: string[];
  from?: string;
  to?: string;
  format: string;
  labels: boolean;
}

const silenceMsMax = 120_000;
const formats = ['table', 'csv', 'ndjson'];

export function queryCommand(streams: CliStreams): Command {
  return createSubcommand(
    'query',
    'Every value of some signals, by time. A row has the values of one moment; without --from and --to: all there is.',
    [
      'fleetlog query --gateway truck-17 --signal EngineSpeed --from -5m',
      'fleetlog query --gateway truck-17 --signal can0/EngineData/EngineSpeed Gear --labels --format csv',
    ],
  )
    .requiredOption('--gateway <id>', 'gateway')
    .requiredOption('--signal <name...>', 'stream/Message/Signal, or its end; one or more')
    .option('--from <time>', 'first event time, inclusive')
    .option('--to <time>', 'last event time, exclusive')
    .option('--format <name>', 'table, csv or ndjson', 'table')
    .option('--labels', 'text for values that have a label in the database', false)
    .action(async ({ format, labels, ...query }: QueryOptions, command: Command) => {
      const context = contextOf(command, streams);
      if (!formats.includes(format)) {
        throw new FleetlogError(
          'FLEETLOG_USAGE',
          `There is no format ${format}; choose table, csv or ndjson.`,
        );
      }
      const shown = context.json ? 'ndjson' : format;
      const { chunks, indexLag } = await context.api.stream(
        '/v1/query',
        { ...query, ...(labels && { labels: 'true' }), format: shown === 'csv' ? 'csv' : 'ndjson' },
        { silenceMsMax },
      );
      noteLag(context, indexLag);
      const { out, stderr } = context;
      const rows = shown === 'table' ? tableOf(chunks, query.signal) : chunks;
      let hasRows = false;
      for await (const chunk of rows) {
        hasRows = true;
        await out.write(chunk);
      }
      await out.finish();
      if (!hasRows) stderr.write('fleetlog: no values in this range.\n');
    });
}

type Row = { time: string } & Record<string, number | string | null>;

/** Rows under their titles as they come: the widths are those of the titles, or of the longest common number. */
async function* tableOf(chunks: AsyncIterable<Uint8Array>, names: readonly string[]): AsyncGenerator<string> {
  const widths = names.map((name) => Math.max(12, oneLine(name).length));
  const timeWidth = '2026-11-05T10:00:00.000000Z'.length;
  let head = `${'time'.padEnd(timeWidth)}  ${names.map((name, k) => oneLine(name).padStart(widths[k])).join('  ')}\n`;
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    let text = head;
    head = '';
    for (const line of lines) {
      const row = JSON.parse(line) as Row;
      const cells = names.map((name, k) => cell(row[name]).padStart(widths[k]));
      text += `${row.time.padEnd(timeWidth)}  ${cells.join('  ')}\n`;
    }
    if (text !== '') yield text;
  }
}

/** Numbers to 12 digits, which hides the rounding of 2781 × 0.01; csv and ndjson have all of them. */
function cell(value: number | string | null | undefined): string {
  if (value === undefined) return '';
  if (value === null) return 'nan';
  return typeof value === 'number' ? String(Number(value.toPrecision(12))) : oneLine(value);
}

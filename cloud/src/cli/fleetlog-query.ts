import type { Command } from 'commander';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Signals } from '../api/signal-schemas.js';
import {
  contextOf,
  createSubcommand,
  noteLag,
  type CliContext,
  type CliStreams,
} from './fleetlog-context.js';
import { fitText } from './fleetlog-signals.js';
import { rowTable, valueTable } from './fleetlog-row-table.js';

interface QueryOptions {
  gateway?: string;
  vehicle?: string;
  signal: string[];
  from?: string;
  to?: string;
  every?: string;
  agg?: string;
  gaps?: string;
  limit?: string;
  format: string;
  labels: boolean;
  long: boolean;
}

const silenceMsMax = 660_000;
const formats = ['table', 'csv', 'ndjson'];

export function queryCommand(streams: CliStreams): Command {
  return createSubcommand(
    'query',
    'Values of some signals by time: every one, or what they sum up to in buckets. A row has the values of one moment; without --from and --to: all there is.',
    [
      'fleetlog query --gateway truck-17 --signal EngineSpeed --from -5m',
      'fleetlog query --gateway truck-17 --signal can0/EngineData/EngineSpeed Gear --labels --format csv',
      'fleetlog query --vehicle "Truck 17" --signal Coolant --from 2026-11-17 --to 2026-11-18 --every 1m --agg max',
    ],
  )
    .option('--gateway <id>', 'gateway')
    .option('--vehicle <name>', 'vehicle instead: the gateways that are in it, while they are')
    .requiredOption('--signal <name...>', 'stream/Message/Signal, or its end; one or more')
    .option('--from <time>', 'first event time, inclusive')
    .option('--to <time>', 'last event time, exclusive')
    .option(
      '--every <length>',
      'buckets of 100ms, 1s, 1m, 1h, 1d; they begin at its multiples since 1970, UTC',
    )
    .option('--agg <name>', 'mean (the default), min, max, first, last, count, sum, envelope (min and max)')
    .option(
      '--gaps <how>',
      'buckets without values: mark (an empty row for each span), fill (for each), skip',
    )
    .option('--limit <rows>', 'rows, at most')
    .option('--long', 'a row for each value, with the name of its signal', false)
    .option('--format <name>', 'table, csv or ndjson', 'table')
    .option('--labels', 'text for values that have a label in the database', false)
    .action(async ({ format, labels, long, ...asked }: QueryOptions, command: Command) => {
      const context = contextOf(command, streams);
      if (!formats.includes(format)) {
        throw new FleetlogError(
          'FLEETLOG_USAGE',
          `There is no format ${format}; choose table, csv or ndjson.`,
        );
      }
      const shown = context.json ? 'ndjson' : format;
      const query = {
        ...asked,
        ...(labels && { labels: 'true' }),
        ...(long && { layout: 'long' }),
        format: shown === 'csv' ? 'csv' : 'ndjson',
      };
      const { chunks, indexLag, trailers } = await context.api.stream('/v1/query', query, { silenceMsMax });
      noteLag(context, indexLag);
      const { out } = context;
      const titles = asked.signal.flatMap((name) =>
        asked.agg === 'envelope' ? [`${name}.min`, `${name}.max`] : [name],
      );
      const rows =
        shown !== 'table'
          ? chunks
          : long
            ? valueTable(chunks, titles)
            : rowTable(chunks, titles, asked.every === undefined ? 'nan' : '');
      let pieces = 0;
      for await (const piece of rows) {
        pieces++;
        await out.write(piece);
      }
      await out.finish();
      const hasRows = pieces > (shown === 'csv' ? 1 : 0) || trailers()['fleetlog-stopped'] !== undefined;
      if (!hasRows && shown !== 'csv') await noteNothing(context, asked);
      noteStop(context, trailers()['fleetlog-stopped'], asked.limit);
    });
}

/** Says why there may be nothing. */
async function noteNothing(
  { api, stderr }: CliContext,
  { gateway, signal }: Pick<QueryOptions, 'gateway' | 'signal'>,
): Promise<void> {
  stderr.write('fleetlog: no values in this range.\n');
  if (gateway === undefined) return;
  const { body } = await api.json<Signals>('/v1/signals', { gateway, match: signal[0] });
  for (const row of body.databases) if (row.identifiersKnown === 0) stderr.write(`fleetlog: ${fitText(row)}`);
}

/** An answer that isn't whole, but for the limit that the user gave, is a failure. */
function noteStop({ stderr }: CliContext, stop: string | undefined, limit: string | undefined): void {
  if (stop === undefined) return;
  const [reason, at] = stop.split(' ');
  const next = at ? `; the next row is of ${at}` : '';
  if (reason === 'rows' && limit !== undefined) {
    stderr.write(`fleetlog: these are the first ${limit} rows${next}.\n`);
    return;
  }
  const what =
    reason === 'rows' ? "as many rows as the cloud's limit allows" : 'the time that a query may take';
  throw new FleetlogError(
    'FLEETLOG_INTERRUPTED',
    `The answer ends after ${what}${next}; go on with --from${at ? ` ${at}` : ''}, or ask for a shorter range or longer --every.`,
  );
}

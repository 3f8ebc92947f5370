import type { Command } from 'commander';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Assignments } from '../api/catalogue-schemas.js';
import { mostAlike } from '../api/nearest-names.js';
import type { Streams } from '../api/schemas.js';
import type { Signals } from '../api/signal-schemas.js';
import { contextOf, createSubcommand, print, type CliContext, type CliStreams } from './fleetlog-context.js';
import { fitText } from './fleetlog-signals.js';
import { moment, table } from './fleetlog-table.js';

interface AssignOptions {
  gateway?: string;
  stream?: string;
  database?: string;
  revision?: string;
  validFrom?: string;
  validTo?: string;
  replace: boolean;
  remove: boolean;
}

export function assignCommand(streams: CliStreams): Command {
  return createSubcommand(
    'assign',
    'Lets a database say what the frames of a stream mean, always or from and to a moment of event time.\n' +
      'It counts for old records as well: they are decoded when they are read. Without --database: lists what applies.\n' +
      'Several databases may apply to a stream at a time where they describe different identifiers.',
    [
      'fleetlog assign --gateway truck-17 --stream can0 --database ford',
      'fleetlog assign --gateway truck-17 --stream can0 --database ford-2027 --valid-from 2027-01-01 --replace',
      'fleetlog assign --gateway truck-17 --stream can0 --database ford --remove',
      'fleetlog assign --gateway truck-17',
    ],
  )
    .option('--gateway <id>', 'gateway')
    .option('--stream <name>', 'stream')
    .option('--database <name>', 'database')
    .option('--revision <version>', 'always this version of the database (default: the current one)')
    .option('--valid-from <time>', 'first event time, inclusive')
    .option('--valid-to <time>', 'last event time, exclusive')
    .option('--replace', 'assignments that are in the way give way', false)
    .option('--remove', 'end the assignment, or the part of it that is in the validity', false)
    .action(async (options: AssignOptions, command: Command) => {
      const context = contextOf(command, streams);
      const { gateway, stream, database, revision, validFrom, validTo, replace, remove } = options;
      const path = '/v1/assignments';
      if (database === undefined) {
        if (remove || replace || validFrom !== undefined || validTo !== undefined || revision !== undefined) {
          throw new FleetlogError('FLEETLOG_USAGE', 'Say which database with --database.');
        }
        const { body } = await context.api.json<Assignments>(path, { gateway, stream });
        await print(context, body.assignments, () => assignmentTable(body));
        return;
      }
      if (gateway === undefined || stream === undefined) {
        throw new FleetlogError('FLEETLOG_USAGE', 'Say to which stream with --gateway and --stream.');
      }
      const query = { gateway, stream, database, from: validFrom, to: validTo };
      let fits = '';
      if (remove) await context.api.change('DELETE', path, query);
      else {
        const more = { version: revision, ...(replace && { replace: 'true' }) };
        await context.api.change('POST', path, { ...query, ...more });
        fits = await fitsText(context, { gateway, stream, database });
      }
      const { body } = await context.api.json<Assignments>(path, { gateway, stream });
      await print(context, body.assignments, () => `${assignmentTable(body)}${fits}`);
    });
}

/**
 * A wrong database is noticed at once: it describes few identifiers of the traffic, or none. So is a wrong name of a
 * stream, of which nothing has come; it may be right all the same, for one that is to come.
 */
async function fitsText(
  { api }: CliContext,
  { gateway, stream, database }: { gateway: string; stream: string; database: string },
): Promise<string> {
  const { body } = await api.json<Signals>('/v1/signals', { gateway, stream });
  const own = body.databases.filter((row) => row.database === database);
  if (own.length === 0) return '';
  const text = `\n${own.map(fitText).join('')}`;
  return own.some(({ identifiers }) => identifiers !== undefined)
    ? text
    : `${text}${await knownStreams(api, `${gateway} ${stream}`)}`;
}

async function knownStreams(api: CliContext['api'], asked: string): Promise<string> {
  const { body } = await api.json<Streams>('/v1/streams');
  const names = body.streams.map(({ gateway, stream }) => `${gateway} ${stream}`);
  if (names.length === 0 || names.includes(asked)) return '';
  return `Nothing has come of ${asked} so far; there are ${mostAlike(asked, names)}.\n`;
}

function assignmentTable({ assignments }: Assignments): string {
  if (assignments.length === 0) return 'No database is assigned; frames have no signals.\n';
  return table(assignments, [
    { title: 'gateway', text: ({ gateway }) => gateway },
    { title: 'stream', text: ({ stream }) => stream },
    { title: 'database', text: ({ database }) => database },
    { title: 'version', text: ({ version }) => version?.slice(0, 12) ?? 'current' },
    { title: 'valid from', text: ({ from }) => moment(from) },
    { title: 'valid to', text: ({ to }) => moment(to) },
  ]);
}

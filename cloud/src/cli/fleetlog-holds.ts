import type { Command } from 'commander';
import type { HoldList, HoldRow } from '../api/hold-schemas.js';
import { contextOf, createSubcommand, print, type CliStreams } from './fleetlog-context.js';
import { moment, table } from './fleetlog-table.js';

export function holdsCommand(streams: CliStreams): Command {
  const holds = createSubcommand('holds', 'Legal holds: records that retention may not trim.', [
    'fleetlog holds list',
    'fleetlog holds add --gateway truck-17 --from 2026-11-05T10:00:00Z --to 2026-11-05T11:00:00Z --reason "accident, case 4711"',
    'fleetlog holds remove 3 --reason "case 4711 is closed"',
  ]);
  return holds
    .addCommand(listCommand(streams))
    .addCommand(addCommand(streams))
    .addCommand(removeCommand(streams));
}

function listCommand(streams: CliStreams): Command {
  return createSubcommand('list', 'Holds that are in force, or all that ever were.', [
    'fleetlog holds list',
    'fleetlog holds list --all --json',
  ])
    .option('--all', 'those that were ended, too')
    .action(async ({ all }: { all?: boolean }, command: Command) => {
      const context = contextOf(command, streams);
      const query = { ...(all && { all: 'true' }) };
      const { body } = await context.api.json<HoldList>('/v1/holds', query);
      await print(context, body.holds, () => listText(body.holds, all ?? false));
    });
}

function addCommand(streams: CliStreams): Command {
  return createSubcommand('add', 'Holds a range of event time, also of records that are yet to come.', [
    'fleetlog holds add --gateway truck-17 --stream can0 --from -2h --to now --reason "accident"',
  ])
    .option('--gateway <id>', 'only of this gateway; of all without it')
    .option('--stream <name>', 'only of this stream; of all without it')
    .requiredOption('--from <time>', 'first event time, inclusive')
    .requiredOption('--to <time>', 'last event time, exclusive')
    .requiredOption('--reason <text>', 'why, for who asks later')
    .option('--by <name>', 'who asks for it', process.env.USER)
    .action(async (options: Record<string, string | undefined>, command: Command) => {
      const { gateway, stream, from, to, reason, by } = options;
      const context = contextOf(command, streams);
      const query = { gateway, stream, from, to, reason, by };
      const body = await context.api.change<HoldRow>('POST', '/v1/holds', query);
      await print(
        context,
        body,
        () => `Hold ${body.id}: ${whose(body)} from ${body.from} to ${body.to} stays.\n`,
      );
    });
}

function removeCommand(streams: CliStreams): Command {
  return createSubcommand('remove', 'Ends a hold; that it was there stays in the list of all.', [
    'fleetlog holds remove 3 --reason "case 4711 is closed"',
  ])
    .argument('<id>', 'as listed')
    .requiredOption('--reason <text>', 'why, for who asks later')
    .option('--by <name>', 'who says so', process.env.USER)
    .action(async (id: string, { reason, by }: { reason: string; by?: string }, command: Command) => {
      const context = contextOf(command, streams);
      const path = `/v1/holds/${encodeURIComponent(id)}`;
      const body = await context.api.change<HoldRow>('DELETE', path, { reason, by });
      await print(context, body, () => `Hold ${body.id} is ended; retention goes by its rules again.\n`);
    });
}

const whose = ({ gateway = 'every gateway', stream = 'all streams' }: HoldRow): string =>
  `${stream} of ${gateway}`;

function listText(holds: HoldRow[], all: boolean): string {
  if (holds.length === 0) return 'Nothing is held.\n';
  return table(holds, [
    { title: 'hold', text: ({ id }) => id, right: true },
    { title: 'gateway', text: ({ gateway = 'all' }) => gateway },
    { title: 'stream', text: ({ stream = 'all' }) => stream },
    { title: 'from', text: ({ from }) => moment(from) },
    { title: 'to', text: ({ to }) => moment(to) },
    { title: 'added', text: ({ added, by }) => `${moment(added)}${by === undefined ? '' : ` by ${by}`}` },
    { title: 'reason', text: ({ reason }) => reason },
    ...(all
      ? [
          {
            title: 'ended',
            text: ({ removed, removedBy, removedReason = '' }: HoldRow) =>
              removed === undefined
                ? ''
                : `${moment(removed)}${removedBy === undefined ? '' : ` by ${removedBy}`}: ${removedReason}`,
          },
        ]
      : []),
  ]);
}

import type { Command } from 'commander';
import type { GroupDetails, GroupList, Reset } from '../api/group-schemas.js';
import { contextOf, createSubcommand, print, type CliStreams } from './fleetlog-context.js';
import { count, moment, span, table } from './fleetlog-table.js';

export function groupsCommand(streams: CliStreams): Command {
  const groups = createSubcommand('groups', 'Groups of consumers: who reads, and how far behind each is.', [
    'fleetlog groups',
    'fleetlog groups --group trips',
    'fleetlog groups reset --group trips --to -1d --dry-run',
    'fleetlog groups delete --group trips',
  ])
    .option('--group <name>', 'this group, by partition')
    .action(async ({ group }: { group?: string }, command: Command) => {
      const context = contextOf(command, streams);
      if (group !== undefined) {
        const { body } = await context.api.json<GroupDetails>(`/v1/groups/${encodeURIComponent(group)}`);
        await print(context, body, () => detailsText(body));
        return;
      }
      const { body } = await context.api.json<GroupList>('/v1/groups');
      await print(context, body.groups, () => listText(body));
    });
  groups.addCommand(resetCommand(streams)).addCommand(deleteCommand(streams));
  return groups;
}

function resetCommand(streams: CliStreams): Command {
  return createSubcommand(
    'reset',
    'Puts a group that nobody reads elsewhere: it reads again from there, or leaves out what is before.',
    [
      'fleetlog groups reset --group trips --to earliest --dry-run',
      'fleetlog groups reset --group trips --to 3:1500',
    ],
  )
    .showHelpAfterError('See fleetlog groups reset --help.')
    .option('--group <name>', 'group')
    .requiredOption('--to <where>', 'earliest, latest, a time of receipt, or PARTITION:OFFSET,…')
    .option('--dry-run', 'say what it would do, and do nothing', false)
    .action(async (options: { to: string; dryRun: boolean }, command: Command) => {
      const context = contextOf(command, streams);
      const group = groupOf(command);
      const query = { to: options.to, ...(options.dryRun && { dryRun: 'true' }) };
      const path = `/v1/groups/${encodeURIComponent(group)}/reset`;
      const body = await context.api.change<Reset>('POST', path, query);
      await print(context, body, () => resetText(body));
    });
}

function deleteCommand(streams: CliStreams): Command {
  return createSubcommand('delete', 'Forgets a group that nobody reads, and its checkpoint.', [
    'fleetlog groups delete --group trips',
  ])
    .showHelpAfterError('See fleetlog groups delete --help.')
    .option('--group <name>', 'group')
    .action(async (_options, command: Command) => {
      const context = contextOf(command, streams);
      const group = groupOf(command);
      const path = `/v1/groups/${encodeURIComponent(group)}`;
      const body = await context.api.change<{ deleted: string }>('DELETE', path, {});
      await print(context, body, () => `${body.deleted} is forgotten.\n`);
    });
}

/** The parent has the option as well, and takes it wherever it stands. */
function groupOf(command: Command): string {
  const { group } = command.optsWithGlobals<{ group?: string }>();
  if (group !== undefined) return group;
  command.error("error: required option '--group <name>' not specified", { exitCode: 2 });
}

function listText({ groups }: GroupList): string {
  if (groups.length === 0) return 'There are no groups yet; "fleetlog consume --group NAME" makes one.\n';
  return table(groups, [
    { title: 'group', text: ({ group }) => group },
    { title: 'members', text: ({ members }) => count(members), right: true },
    { title: 'lag', text: ({ lagBatches }) => `${count(lagBatches)} batches`, right: true },
    { title: 'behind', text: ({ lagSeconds = 0 }) => span(lagSeconds), right: true },
    { title: 'committed', text: ({ committed }) => moment(committed) },
  ]);
}

const detailsText = ({ partitions, ...group }: GroupDetails): string =>
  `${listText({ groups: [group] })}\n${table(partitions, [
    { title: 'partition', text: ({ partition }) => String(partition), right: true },
    { title: 'checkpoint', text: ({ next }) => count(next), right: true },
    { title: 'end of log', text: ({ end }) => count(end), right: true },
    { title: 'lag', text: ({ lagBatches }) => count(lagBatches), right: true },
    { title: 'member', text: ({ member = '-' }) => member },
  ])}`;

function resetText({ group, dryRun, partitions }: Reset): string {
  const rows = table(partitions, [
    { title: 'partition', text: ({ partition }) => String(partition), right: true },
    { title: 'from', text: ({ from = 0 }) => count(from), right: true },
    { title: 'to', text: ({ to }) => count(to), right: true },
    { title: 'lag then', text: ({ to, end }) => count(end - to), right: true },
  ]);
  return `${rows}${dryRun ? 'Nothing was changed (--dry-run)' : `Group ${group} goes on from there`}.\n`;
}

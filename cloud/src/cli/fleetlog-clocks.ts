import type { Command } from 'commander';
import type { Clocks } from '../api/schemas.js';
import { contextOf, createSubcommand, noteLag, type CliStreams } from './fleetlog-context.js';
import { count, moment, table } from './fleetlog-table.js';

export function clocksCommand(streams: CliStreams): Command {
  return createSubcommand(
    'clocks',
    "Boots of the gateways, in their order: how well each one's time is known, and how it was corrected.",
    ['fleetlog clocks --gateway truck-17', 'fleetlog clocks --json'],
  )
    .option('--gateway <id>', 'only this gateway')
    .action(async ({ gateway }: { gateway?: string }, command: Command) => {
      const context = contextOf(command, streams);
      const { body, indexLag } = await context.api.json<Clocks>('/v1/clocks', { gateway });
      noteLag(context, indexLag);
      await context.out.write(context.json ? `${JSON.stringify(body.boots)}\n` : bootTable(body));
      await context.out.finish();
    });
}

function bootTable({ boots }: Clocks): string {
  if (boots.length === 0) return 'No gateway has stamped anything with a clock of its own yet.\n';
  return table(boots, [
    { title: 'gateway', text: ({ gateway }) => gateway },
    { title: 'boot', text: ({ boot }) => boot },
    { title: 'clock', text: ({ clock, source }) => (clock === 'unset' ? clock : `${clock} by ${source}`) },
    { title: 'first record', text: ({ firstTime }) => moment(firstTime) },
    { title: 'last record', text: ({ lastTime }) => moment(lastTime) },
    { title: 'records', text: ({ records }) => count(records), right: true },
    { title: 'correction', text: ({ correctionUs }) => duration(correctionUs), right: true },
    { title: 'uncertainty', text: ({ uncertaintyUs }) => bound(uncertaintyUs), right: true },
  ]);
}

const bound = (us: number): string => (us < 0 ? 'unknown' : duration(us));

/** `0`, `350 µs`, `1.25 s`, `-1 h`, `20,780 d`. */
function duration(us: number): string {
  const size = Math.abs(us);
  const units: [string, number][] = [
    ['d', 86_400e6],
    ['h', 3_600e6],
    ['min', 60e6],
    ['s', 1e6],
    ['ms', 1e3],
    ['µs', 1],
  ];
  const [name, unitUs] = units.find(([, length]) => size >= length) ?? ['', 1];
  return name === '' ? '0' : `${(us / unitUs).toLocaleString('en', { maximumFractionDigits: 2 })} ${name}`;
}

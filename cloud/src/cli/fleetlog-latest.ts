import type { Command } from 'commander';
import type { Latest } from '../api/query-schemas.js';
import { contextOf, createSubcommand, noteLag, print, type CliStreams } from './fleetlog-context.js';
import { count, oneLine, table } from './fleetlog-table.js';

interface LatestOptions {
  gateway?: string;
  vehicle?: string;
  stream?: string;
  match?: string;
  within?: string;
}

export function latestCommand(streams: CliStreams): Command {
  return createSubcommand(
    'latest',
    'The last value of each signal, and when it was said. Looks back an hour from the end of each stream.',
    [
      'fleetlog latest --gateway truck-17',
      'fleetlog latest --vehicle "Truck 17" --match coolant --within 1d --json',
    ],
  )
    .option('--gateway <id>', 'gateway')
    .option('--vehicle <name>', 'vehicle instead: the gateways that are in it, while they are')
    .option('--stream <name>', 'only this stream')
    .option('--match <text>', 'only names that hold this, in any case')
    .option('--within <length>', 'how far to look back: 30s, 10m, 1d', '1h')
    .action(async (options: LatestOptions, command: Command) => {
      const context = contextOf(command, streams);
      const { body, indexLag } = await context.api.json<Latest>('/v1/latest', { ...options });
      noteLag(context, indexLag);
      await print(context, body, () => latestText(body, options));
    });
}

function latestText({ signals, missing }: Latest, { within = '1h' }: LatestOptions): string {
  const absent = missing === 0 ? '' : `${count(missing)} signals were not said within ${within}\n`;
  if (signals.length === 0) return absent === '' ? 'No signal has such a name.\n' : absent;
  const rows = table(signals, [
    { title: 'signal', text: ({ name }) => name },
    { title: 'value', right: true, text: ({ value }) => valueText(value) },
    { title: 'unit', text: ({ unit }) => oneLine(unit) },
    { title: 'label', text: ({ label = '' }) => oneLine(label) },
    { title: 'time', text: ({ time }) => time },
  ]);
  return `${rows}${absent}`;
}

/** To 12 digits, which hides the rounding of 2781 × 0.01. */
const valueText = (value: number | null): string =>
  value === null ? 'nan' : String(Number(value.toPrecision(12)));

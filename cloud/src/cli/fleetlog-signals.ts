import type { Command } from 'commander';
import type { Signals } from '../api/signal-schemas.js';
import { contextOf, createSubcommand, noteLag, print, type CliStreams } from './fleetlog-context.js';
import { count, moment, oneLine, table } from './fleetlog-table.js';

interface SignalsOptions {
  gateway: string;
  stream?: string;
  match?: string;
}

export function signalsCommand(streams: CliStreams): Command {
  return createSubcommand(
    'signals',
    'Signals of a gateway: names, units, and the database that each comes from.\n' +
      'A full name is stream/Message/Signal; its end will do where it means one signal only.',
    ['fleetlog signals --gateway truck-17', 'fleetlog signals --gateway truck-17 --match speed --json'],
  )
    .requiredOption('--gateway <id>', 'gateway')
    .option('--stream <name>', 'only this stream')
    .option('--match <text>', 'only names that hold this, in any case')
    .action(async (options: SignalsOptions, command: Command) => {
      const context = contextOf(command, streams);
      const { body, indexLag } = await context.api.json<Signals>('/v1/signals', { ...options });
      noteLag(context, indexLag);
      await print(context, body, () => signalsText(body, options));
    });
}

function signalsText({ databases, receivers, signals }: Signals, { gateway, match }: SignalsOptions): string {
  if (databases.length === 0 && signals.length === 0 && match === undefined) {
    return `No database is assigned to ${gateway}; "fleetlog assign --gateway ${gateway} --stream S --database N" does that.\n`;
  }
  const hasValidity = signals.some(({ from, to }) => from !== undefined || to !== undefined);
  const rows =
    signals.length === 0
      ? `No signal's name holds "${match ?? ''}".\n`
      : table(signals, [
          { title: 'signal', text: ({ name }) => name },
          { title: 'unit', text: ({ unit }) => oneLine(unit) },
          { title: 'database', text: ({ database }) => database },
          ...(hasValidity
            ? [
                { title: 'from', text: ({ from }: { from?: string }) => moment(from) },
                { title: 'to', text: ({ to }: { to?: string }) => moment(to) },
              ]
            : []),
          { title: 'comment', text: ({ comment }) => oneLine(comment) },
        ]);
  return `${rows}\n${count(signals.length)} signals\n${databases.map(fitText).join('')}${receivers.map(receiverText).join('')}`;
}

function receiverText({ stream, reports, wrongChecksums, types }: Signals['receivers'][number]): string {
  const sample = count(reports + wrongChecksums);
  const wrong =
    wrongChecksums > 0
      ? `; ${count(wrongChecksums)} of ${sample} looked at have a wrong checksum and are left out`
      : '';
  return `${stream}: ${types.join(', ')}${wrong}\n`;
}

/** How well a database fits the traffic that came so far. */
export function fitText(row: Signals['databases'][number]): string {
  const { stream, database, version, identifiers, identifiersKnown = 0 } = row;
  const name = `${database} ${version.slice(0, 12)}`;
  if (identifiers === undefined) return `${name} on ${stream}: no traffic yet\n`;
  const warning = identifiersKnown === 0 ? '; it does not fit this traffic' : '';
  return `${name} on ${stream}: describes ${count(identifiersKnown)} of ${count(identifiers)} identifiers seen${warning}\n`;
}

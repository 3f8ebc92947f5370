import type { Command } from 'commander';
import type { Storage } from '../api/storage-schemas.js';
import { contextOf, createSubcommand, noteLag, print, type CliStreams } from './fleetlog-context.js';
import { bytes, count, table } from './fleetlog-table.js';

export function storageCommand(streams: CliStreams): Command {
  return createSubcommand('storage', "What uses how much of the cloud's disk, and when it will be full.", [
    'fleetlog storage',
    'fleetlog storage --gateway truck-17',
    'fleetlog storage --json',
  ])
    .option('--gateway <id>', 'only the streams of this gateway')
    .action(async ({ gateway }: { gateway?: string }, command: Command) => {
      const context = contextOf(command, streams);
      const { body, indexLag } = await context.api.json<Storage>('/v1/storage');
      noteLag(context, indexLag);
      if (gateway !== undefined) body.streams = body.streams.filter((one) => one.gateway === gateway);
      await print(context, body, () => storageText(body));
    });
}

function storageText({ disk, uses, growth, retention, streams }: Storage): string {
  const { logBytes, batchBytes, indexBytes, rollupsBytes, columnsBytes, catalogueBytes } = uses;
  const floor = `${bytes(disk.minFreeBytes)} must stay free`;
  const lines = [
    [
      'disk',
      `${bytes(disk.freeBytes)} of ${bytes(disk.totalBytes)} free (${floor})` +
        (disk.ingestPaused ? '; full: nothing is acknowledged, gateways keep their data' : ''),
    ],
    ['log', `${bytes(logBytes)}, of it batches ${bytes(batchBytes)}`],
    ['index', bytes(indexBytes)],
    ['rollups', bytes(rollupsBytes)],
    ['columns', bytes(columnsBytes)],
    ['databases', bytes(catalogueBytes)],
    ['growth', growthText(growth)],
    [
      'retention',
      `${count(retention.trimmedBatches)} batches, ${bytes(retention.trimmedBytes)} trimmed so far`,
    ],
  ];
  const summary = lines.map(([name, text]) => `${name.padEnd(12)}${text}\n`).join('');
  if (streams.length === 0) return summary;
  const rows = table(streams, [
    { title: 'gateway', text: ({ gateway }) => gateway },
    { title: 'stream', text: ({ stream }) => stream },
    { title: 'bytes', text: (row) => bytes(row.bytes), right: true },
    { title: 'batches', text: (row) => count(row.batches), right: true },
    { title: 'records', text: (row) => count(row.records), right: true },
    { title: 'rule', text: ({ rule = 'kept for ever' }) => rule },
  ]);
  return `${summary}\n${rows}`;
}

function growthText(growth: Storage['growth']): string {
  if (!growth) return 'not known in the first hour';
  const { bytesPerDay, fullAfterDays } = growth;
  const full =
    fullAfterDays === undefined ? '' : `; full after ${fullAfterDays.toFixed(1)} days if nothing goes`;
  return `${bytes(bytesPerDay)} a day${full}`;
}

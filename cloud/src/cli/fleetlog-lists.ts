import type { Command } from 'commander';
import { AnswerIsNo } from '@fleetlog/shared/cli';
import type { Gaps, Gateways, Status, Streams } from '../api/schemas.js';
import { contextOf, createSubcommand, noteLag, print, type CliStreams } from './fleetlog-context.js';
import { ago, bytes, count, moment, span, table } from './fleetlog-table.js';

type StreamRow = Streams['streams'][number];
/** Nothing vouches for the times of some of the records. */
const isDoubtful = (clock: string | undefined): boolean => clock !== undefined && clock !== 'synced';
/** Nobody drove this, or not all of it. */
const isMade = (origin: string | undefined): boolean => origin === 'simulated' || origin === 'mixed';

type Filter = { gateway?: string; stream?: string };

export function gatewaysCommand(streams: CliStreams): Command {
  return createSubcommand('gateways', 'Gateways that ever sent something.', [
    'fleetlog gateways',
    'fleetlog gateways --json',
  ]).action(async (_options, command: Command) => {
    const context = contextOf(command, streams);
    const { body, indexLag } = await context.api.json<Gateways>('/v1/gateways');
    noteLag(context, indexLag);
    await print(context, body.gateways, () =>
      body.gateways.length === 0
        ? 'No gateway has sent anything yet.\n'
        : table(body.gateways, [
            { title: 'gateway', text: ({ gateway }) => gateway },
            { title: 'connected', text: ({ connected }) => (connected ? 'yes' : 'no') },
            { title: 'last seen', text: ({ lastSeen }) => moment(lastSeen) },
            { title: 'streams', text: (row) => count(row.streams), right: true },
            { title: 'batches', text: (row) => count(row.batches), right: true },
            { title: 'records', text: (row) => count(row.records), right: true },
            { title: 'bytes', text: (row) => bytes(row.bytes), right: true },
            { title: 'pending', text: (row) => count(row.pendingBatches), right: true },
            { title: 'first record', text: ({ firstTime }) => moment(firstTime) },
            { title: 'last record', text: ({ lastTime }) => moment(lastTime) },
          ]),
    );
  });
}

export function streamsCommand(streams: CliStreams): Command {
  return createSubcommand('streams', 'Streams: what there is of each, and how far behind the cloud is.', [
    'fleetlog streams',
    'fleetlog streams --gateway truck-17 --json',
  ])
    .option('--gateway <id>', 'only this gateway')
    .action(async ({ gateway }: Filter, command: Command) => {
      const context = contextOf(command, streams);
      const { body, indexLag } = await context.api.json<Streams>('/v1/streams', { gateway });
      noteLag(context, indexLag);
      await print(context, body.streams, () =>
        body.streams.length === 0
          ? 'No stream has come in yet.\n'
          : table(body.streams, [
              { title: 'gateway', text: (row) => row.gateway },
              { title: 'stream', text: ({ stream }) => stream },
              { title: 'kind', text: ({ kind }) => kind },
              { title: 'first record', text: ({ firstTime }) => moment(firstTime) },
              { title: 'last record', text: ({ lastTime }) => moment(lastTime) },
              ...(body.streams.some(({ clock }) => isDoubtful(clock))
                ? [{ title: 'clock', text: ({ clock }: StreamRow) => (isDoubtful(clock) ? clock! : '') }]
                : []),
              ...(body.streams.some(({ origin }) => isMade(origin))
                ? [{ title: 'origin', text: ({ origin }: StreamRow) => (isMade(origin) ? origin! : '') }]
                : []),
              { title: 'batches', text: ({ batches }) => count(batches), right: true },
              { title: 'records', text: ({ records }) => count(records), right: true },
              { title: 'bytes', text: (row) => bytes(row.bytes), right: true },
              { title: 'B/record', text: (row) => row.bytesPerRecord?.toFixed(2) ?? '-', right: true },
              { title: 'pending', text: ({ pendingBatches }) => count(pendingBatches), right: true },
              { title: 'received', text: (row) => ago(row.secondsSinceReceive), right: true },
            ]),
      );
    });
}

export function gapsCommand(streams: CliStreams): Command {
  return createSubcommand(
    'gaps',
    'Sequences that the log does not hold, and why. Exit status 3 where any is missing without a reason.',
    ['fleetlog gaps', 'fleetlog gaps --gateway truck-17 --stream can0 --json'],
  )
    .option('--gateway <id>', 'only this gateway')
    .option('--stream <name>', 'only this stream')
    .action(async ({ gateway, stream }: Filter, command: Command) => {
      const context = contextOf(command, streams);
      const { body, indexLag } = await context.api.json<Gaps>('/v1/gaps', { gateway, stream });
      noteLag(context, indexLag);
      await print(context, body, () => `${gapTable(body)}${gapSummary(body)}`);
      if (body.batches.missing > 0) throw new AnswerIsNo();
    });
}

function gapTable({ gaps, truncated }: Gaps): string {
  if (gaps.length === 0) return '';
  const rows = table(gaps, [
    { title: 'gateway', text: ({ gateway }) => gateway },
    { title: 'stream', text: ({ stream }) => stream },
    { title: 'epoch', text: ({ epoch }) => epoch },
    { title: 'sequences', text: ({ first, last }) => (first === last ? `${first}` : `${first}-${last}`) },
    { title: 'state', text: ({ state }) => state },
    { title: 'cause', text: ({ cause }) => cause ?? '' },
    { title: 'records', text: ({ records }) => recordsText(records), right: true },
    { title: 'from', text: ({ firstTime }) => (firstTime ? moment(firstTime) : '') },
    { title: 'to', text: ({ lastTime }) => (lastTime ? moment(lastTime) : '') },
    { title: 'detail', text: ({ detail }) => printable(detail ?? '') },
  ]);
  return `${rows}${truncated ? 'There are more; choose a gateway or stream.\n' : ''}\n`;
}

const recordsText = (records: number | undefined): string =>
  records === undefined ? '' : records < 0 ? 'unknown' : count(records);

/** A gateway's own words don't steer the terminal. */
const printable = (text: string): string => text.replace(/\p{Cc}/gu, ' ');

function gapSummary({ streams, heldBatches, batches, thinnedBatches }: Gaps): string {
  const thinned = thinnedBatches > 0 ? ` (${count(thinnedBatches)} thinned)` : '';
  const parts = [plural(streams, 'stream'), `${plural(heldBatches, 'batch', 'batches')} held${thinned}`];
  if (batches.explained > 0) parts.push(`${count(batches.explained)} explained`);
  if (batches.pending > 0) parts.push(`${count(batches.pending)} pending`);
  if (batches.trimmed > 0) parts.push(`${count(batches.trimmed)} trimmed by retention`);
  return `${parts.join(', ')}, ${count(batches.missing)} missing\n`;
}

const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;

export function statusCommand(streams: CliStreams): Command {
  return createSubcommand('status', 'How the cloud is: counters, sizes, lag.', [
    'fleetlog status',
    'fleetlog status --json',
  ]).action(async (_options, command: Command) => {
    const context = contextOf(command, streams);
    const { body } = await context.api.json<Status>('/v1/status');
    await print(context, body, () => statusText(body));
  });
}

function statusText({
  version,
  uptimeSeconds,
  rssBytes,
  gateways,
  ingest,
  log,
  index,
  disk,
  running,
}: Status): string {
  const refused = Object.entries(ingest.refused).map(([code, times]) => `${code} ${count(times)}`);
  const lines = [
    ['cloud', `version ${version}, up ${span(uptimeSeconds)}, ${bytes(rssBytes)} of memory`],
    ['gateways', `${count(gateways.connected)} of ${count(gateways.known)} connected`],
    ['log', `${count(log.batches)} batches, ${bytes(log.bytes)}, ${log.partitions.length} partitions`],
    ['index', `${count(index.lagBatches)} batches behind, ${bytes(index.bytes)}`],
    [
      'since start',
      `${count(ingest.batches)} batches, ${count(ingest.records)} records, ${bytes(ingest.bytes)}, ` +
        `${count(ingest.duplicates)} duplicates`,
    ],
    ['refused', refused.length > 0 ? refused.join(', ') : 'none'],
    [
      'disk',
      disk.ingestPaused
        ? `full: ${bytes(disk.freeBytes)} free of the ${bytes(disk.minFreeBytes)} that must stay; nothing is acknowledged, gateways keep their data`
        : `${bytes(disk.freeBytes)} free`,
    ],
    ['running', `${running.exports} exports, ${running.tails} tails`],
  ];
  if (index.skippedBatches > 0)
    lines.push(['unreadable', `${count(index.skippedBatches)} entries of the log`]);
  return lines.map(([name, text]) => `${name.padEnd(12)}${text}\n`).join('');
}

import { Option, type Command } from 'commander';
import { FleetlogError } from '@fleetlog/shared/errors';
import { systemClock } from '@fleetlog/shared/util';
import { isoMicros } from '../export/iso-time.js';
import { parseTime } from '../api/time.js';
import type { Imported } from '../import/desk.js';
import { importFormats, type ImportFormat } from '../import/formats.js';
import { importFile, type ImportedFile } from '../import/import-file.js';
import { packBatches } from '../import/wire.js';
import { contextOf, createSubcommand, type CliContext, type CliStreams } from './fleetlog-context.js';
import { Progress } from './fleetlog-progress.js';
import { count, moment } from './fleetlog-table.js';

interface ImportOptions {
  gateway: string;
  stream?: string;
  format?: ImportFormat;
  start?: string;
  zone?: string;
  progress?: boolean;
}

const shownProblems = 5;

export function importCommand(streams: CliStreams): Command {
  return createSubcommand(
    'import',
    'Old recordings into the log, under the name of a gateway, with their times.\n\n' +
      `Formats: ${Object.keys(importFormats).join(', ')} (gvret: the CSV of SavvyCAN; mf4: frames of a CANedge or another ` +
      'bus logger; mcap: what "fleetlog export" wrote). Each file is in the log once, however often it is imported; an ' +
      'import that broke off goes on when it is run again. Channel 1 of a file is the interface can0.\n\n' +
      'What is wrong in a file is told by line or byte and left out.',
    [
      'fleetlog import --gateway truck-17 --stream can0 drive-1.asc drive-2.blf',
      'fleetlog import --gateway van-8 --stream can0 --zone +02:00 monday.trc',
      'fleetlog import --gateway van-8 --stream can0 --start 2026-05-04T09:30:00Z savvycan.csv',
      'fleetlog import --gateway truck-17 drives.mcap',
    ],
  )
    .requiredOption('--gateway <id>', 'gateway; may be a new one')
    .option('--stream <name>', 'stream (mcap: default are the names in the file)')
    .addOption(
      new Option('--format <name>', 'where the file itself does not tell').choices(
        Object.keys(importFormats),
      ),
    )
    .option('--start <time>', 'when the first record was: for files that tell no date, or a wrong one')
    .option(
      '--zone <hours>',
      'zone of the recorder, +02:00, where the file tells local times (asc, trc, blf)',
    )
    .option('--progress', 'tell how far it is, also where stderr is no terminal')
    .argument('<files...>', 'recordings')
    .action(async (files: string[], options: ImportOptions, command: Command) => {
      const context = contextOf(command, streams);
      for (const file of files) await importOne(context, file, options);
      await context.out.finish();
    });
}

async function importOne(context: CliContext, path: string, options: ImportOptions): Promise<void> {
  const { api, json, out, stderr } = context;
  const { gateway, stream, format, start, zone } = options;
  const progress = new Progress(stderr, options.progress ?? stderr.isTTY);
  let doneBytes = 0;
  const result = await importFile({
    path,
    gateway,
    stream,
    format,
    startUs: start === undefined ? undefined : parseTime(start, systemClock.nowUs()),
    zoneUs: zone === undefined ? 0 : zoneOf(zone),
    nowUs: () => systemClock.nowUs(),
    send: (name, batches) =>
      api.change<Imported>('POST', '/v1/import', { gateway, stream: name }, packBatches(batches)),
    onProgress: (bytes) => {
      progress.add(bytes - doneBytes);
      doneBytes = bytes;
    },
  }).finally(() => progress.end());
  for (const { where, text } of result.problems.slice(0, shownProblems)) {
    stderr.write(`fleetlog: ${path}: ${where}: ${text}\n`);
  }
  const hidden = result.problemCount - Math.min(shownProblems, result.problems.length);
  if (hidden > 0) stderr.write(`fleetlog: ${path}: ${count(hidden)} more of these\n`);
  await out.write(json ? `${JSON.stringify(rowOf(result))}\n` : textOf(result));
}

function rowOf({ firstTimeUs, lastTimeUs, added, known, problemCount, ...rest }: ImportedFile): object {
  return {
    ...rest,
    ...(firstTimeUs !== undefined && { firstTime: isoMicros(firstTimeUs) }),
    ...(lastTimeUs !== undefined && { lastTime: isoMicros(lastTimeUs) }),
    batchesAdded: added,
    batchesKnown: known,
    problemCount,
  };
}

function textOf(result: ImportedFile): string {
  const { file, format, frames, lines, firstTimeUs, lastTimeUs, added, known, problemCount } = result;
  const what = [
    ...(frames > 0 || lines === 0 ? [`${count(frames)} frames`] : []),
    ...(lines > 0 ? [`${count(lines)} lines`] : []),
  ];
  if (firstTimeUs !== undefined && lastTimeUs !== undefined) {
    what.push(`${moment(isoMicros(firstTimeUs))} to ${moment(isoMicros(lastTimeUs))}`);
  }
  what.push(added === 0 && known > 0 ? 'was in the log before' : `${count(added)} batches`);
  if (added > 0 && known > 0) what.push(`${count(known)} were in the log before`);
  if (problemCount > 0) what.push(`${count(problemCount)} left out`);
  return `${file}: ${format}, ${what.join(', ')}\n`;
}

/** `+02:00`, `-5`, in µs. Errors: FLEETLOG_USAGE. */
function zoneOf(text: string): number {
  const match = /^([+-]?)(\d{1,2})(?::?(\d\d))?$/.exec(text);
  const minutes = match ? 60 * Number(match[2]) + Number(match[3] ?? 0) : NaN;
  if (match && minutes <= 14 * 60) return (match[1] === '-' ? -1 : 1) * minutes * 60_000_000;
  throw new FleetlogError('FLEETLOG_USAGE', `"${text}" isn't a zone; write +02:00 or -05:30.`);
}

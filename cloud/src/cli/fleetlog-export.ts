import type { Command } from 'commander';
import { FleetlogError, isFleetlogError } from '@fleetlog/shared/errors';
import type { Streams } from '../api/schemas.js';
import { formats } from '../export/formats.js';
import {
  contextOf,
  createSubcommand,
  noteLag,
  type CliContext,
  type CliStreams,
} from './fleetlog-context.js';
import { FileOutput, partOf, type Output } from './fleetlog-output.js';
import { Progress } from './fleetlog-progress.js';
import { bytes, moment } from './fleetlog-table.js';

interface ExportOptions {
  gateway: string;
  stream: string;
  from?: string;
  to?: string;
  format?: string;
  output?: string;
  times?: string;
}

const silenceMsMax = 120_000;

export function exportCommand(streams: CliStreams): Command {
  return createSubcommand(
    'export',
    'The records of a stream in event-time order, to stdout or a file.\n\n' +
      'With --output the file is FILE.part until it is complete; where the export breaks off, FILE.part stays.\n' +
      'Times: 2026-11-05T10:00:00.5Z (UTC where no zone is given), Unix seconds, -15m, now.',
    [
      'fleetlog export --gateway truck-17 --stream can0 --format candump --output drive.candump',
      'fleetlog export --gateway truck-17 --stream can0 --from -15m | canplayer vcan0=can0',
      'fleetlog export --gateway truck-17 --stream gps0 --from 2026-11-05T10:00Z --to 2026-11-05T11:00Z --format lines',
    ],
  )
    .requiredOption('--gateway <id>', 'gateway')
    .requiredOption('--stream <name>', 'stream')
    .option('--from <time>', 'first event time, inclusive')
    .option('--to <time>', 'last event time, exclusive')
    .option(
      '--times <which>',
      "corrected: as the gateway's clock is known now (default), or original: as stamped",
    )
    .option(
      '--format <name>',
      `${Object.keys(formats).join(', ')} (default: what fits the kind of the stream)`,
    )
    .option('--output <file>', 'write to a file')
    .action(async (options: ExportOptions, command: Command) => {
      const context = contextOf(command, streams);
      if (context.json && options.output === undefined) {
        throw new FleetlogError(
          'FLEETLOG_USAGE',
          '--json tells what --output wrote; for records as JSON use --format ndjson.',
        );
      }
      await runExport(context, options);
    });
}

async function runExport(context: CliContext, { output, ...query }: ExportOptions): Promise<void> {
  const { api, json, out, stderr } = context;
  const { chunks, indexLag, finalHead } = await api.stream('/v1/export', { ...query }, { silenceMsMax });
  noteLag(context, indexLag);
  const target: Output = output === undefined ? out : await FileOutput.create(output);
  const progress = new Progress(stderr);
  try {
    for await (const chunk of chunks) {
      await target.write(chunk);
      progress.add(chunk.length);
    }
  } catch (error) {
    progress.end();
    await target.abandon();
    if (!isFleetlogError(error, 'FLEETLOG_INTERRUPTED')) throw error;
    const kept = output === undefined ? '' : ` and are kept in ${partOf(output)}`;
    throw new FleetlogError(error.code, `${error.message} ${bytes(progress.bytes)} came${kept}.`, {
      cause: error,
    });
  }
  await target.finish(finalHead());
  progress.end();
  if (progress.bytes === 0) stderr.write(`fleetlog: ${await emptyNote(context, query)}\n`);
  if (json) {
    await out.write(
      `${JSON.stringify({ file: output, bytes: progress.bytes, seconds: progress.seconds })}\n`,
    );
  }
}

async function emptyNote({ api }: CliContext, { gateway, stream }: ExportOptions): Promise<string> {
  const { body } = await api.json<Streams>('/v1/streams', { gateway, stream });
  const [found] = body.streams;
  const holds = found?.firstTime
    ? `it holds ${moment(found.firstTime)} to ${moment(found.lastTime)}`
    : 'it is empty';
  return `no records of ${gateway} ${stream} in this range; ${holds}.`;
}

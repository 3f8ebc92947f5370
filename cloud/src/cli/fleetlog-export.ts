import { Option, type Command } from 'commander';
import { FleetlogError, isFleetlogError } from '@fleetlog/shared/errors';
import type { Streams } from '../api/schemas.js';
import { formats } from '../export/formats.js';
import type { ApiStream, Query } from '../client/api-client.js';
import {
  contextOf,
  createSubcommand,
  noteLag,
  type CliContext,
  type CliStreams,
} from './fleetlog-context.js';
import { PartFile, partOf, type HeldPart } from './fleetlog-part.js';
import { Progress } from './fleetlog-progress.js';
import { bytes, moment } from './fleetlog-table.js';

interface ExportOptions {
  gateway: string[];
  stream?: string[];
  signal?: string[];
  from?: string;
  to?: string;
  format?: string;
  output?: string;
  times?: string;
  records?: boolean;
  progress?: boolean;
  restart?: boolean;
}

const silenceMsMax = 120_000;
/** The cloud makes again what is held already before it sends the rest: so long for each byte of it, at most. */
const skipMsPerByte = 1e-4;

export function exportCommand(streams: CliStreams): Command {
  return createSubcommand(
    'export',
    'The records of a stream in event-time order, to stdout or a file.\n\n' +
      'ndjson, csv, parquet, mcap and geojson take any streams of any gateways; candump, asc, blf, mf4 and trc several of one gateway, whose ' +
      'interfaces they tell apart by name or number; lines and gpx take one.\n\n' +
      'With --output the file is FILE.part until it is complete. Where the export breaks off, run the same command ' +
      'again: it goes on (with any format), or says that the records have changed meanwhile and begins anew.\n\n' +
      'Times: 2026-11-05T10:00:00.5Z (UTC where no zone is given), Unix seconds, -15m, now.',
    [
      'fleetlog export --gateway truck-17 --stream can0 --format candump --output drive.candump',
      'fleetlog export --gateway truck-17 --stream can0 --from -15m | canplayer vcan0=can0',
      'fleetlog export --gateway truck-17 --stream gps0 --from 2026-11-05T10:00Z --to 2026-11-05T11:00Z --format lines',
      'fleetlog export --gateway truck-17 --stream can0 can1 --format blf --output drive.blf',
      'fleetlog export --gateway truck-17 --signal EngineSpeed latitude --format parquet --output day.parquet',
      'fleetlog export --gateway truck-17 bus-4 --records --signal EngineSpeed --format mcap --from -10m --output drives.mcap',
    ],
  )
    .requiredOption('--gateway <id...>', 'gateway, or several')
    .option('--stream <name...>', 'stream, or several (default: all that the format takes)')
    .option('--signal <name...>', 'values of these signals instead of records (parquet, mcap)')
    .option('--records', 'with --signal: records of all streams as well, or of those of --stream (mcap)')
    .option('--from <time>', 'first event time, inclusive')
    .option('--to <time>', 'last event time, exclusive')
    .option(
      '--times <which>',
      "corrected: as the gateway's clock is known now (default), or original: as stamped",
    )
    .addOption(
      new Option('--format <name>', 'default: what fits the kind of the stream').choices(
        Object.keys(formats),
      ),
    )
    .option('--output <file>', 'write to a file')
    .option('--restart', 'begin anew, also where FILE.part could be continued')
    .option('--progress', 'tell how far it is, also where stderr is no terminal')
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

async function runExport(context: CliContext, options: ExportOptions): Promise<void> {
  const { json, out, stderr } = context;
  const { output, progress: isAsked, restart = false, records = false, ...asked } = options;
  const query: Query = { ...asked, ...(records && { records: 'true' }) };
  const part = output === undefined ? undefined : await PartFile.open(output, query, { restart });
  const target = part ?? out;
  const progress = new Progress(stderr, isAsked ?? stderr.isTTY);
  let heldBytes = 0;
  let answer: ApiStream;
  try {
    const asked = await ask(context, query, part);
    answer = asked.answer;
    heldBytes = asked.heldBytes;
    for await (const chunk of answer.chunks) {
      await target.write(chunk);
      progress.add(chunk.length);
    }
  } catch (error) {
    progress.end();
    await target.abandon();
    if (!isFleetlogError(error, 'FLEETLOG_INTERRUPTED')) throw error;
    const came = `${bytes(progress.bytes)} came`;
    throw new FleetlogError(
      error.code,
      output === undefined
        ? `${error.message} ${came}.`
        : `${error.message} ${came} and are kept in ${partOf(output)}; run the same command again to go on.`,
      { cause: error },
    );
  }
  await target.finish(answer.finalHead());
  progress.end();
  const wholeBytes = heldBytes + progress.bytes;
  if (wholeBytes === 0) stderr.write(`fleetlog: ${await emptyNote(context, options)}\n`);
  if (json) {
    const { seconds } = progress;
    await out.write(
      `${JSON.stringify({ file: output, bytes: wholeBytes, resumedAt: heldBytes, seconds })}\n`,
    );
  }
}

/** Goes on where an earlier run broke off, if the cloud still gives the same. */
async function ask(
  context: CliContext,
  query: Query,
  part: PartFile | undefined,
): Promise<{ answer: ApiStream; heldBytes: number }> {
  const { api, stderr } = context;
  if (part?.held) {
    try {
      const answer = await askRest(context, query, part.held);
      return { answer, heldBytes: part.held.bytes };
    } catch (error) {
      if (!isFleetlogError(error, 'FLEETLOG_CHANGED')) throw error;
      stderr.write(`fleetlog: ${error.message.replace('export anew', 'begins anew')}\n`);
    }
  }
  const answer = await api.stream('/v1/export', query, { silenceMsMax });
  noteLag(context, answer.indexLag);
  const { 'fleetlog-from': from, 'fleetlog-to': to } = answer.headers;
  await part?.begin({ from: String(from), to: String(to) });
  return { answer, heldBytes: 0 };
}

async function askRest(context: CliContext, query: Query, held: HeldPart): Promise<ApiStream> {
  const { from, to, bytes: heldBytes, crc } = held;
  const rest = { ...query, from, to, skip: String(heldBytes), skipCrc: String(crc) };
  const answer = await context.api.stream('/v1/export', rest, {
    silenceMsMax: silenceMsMax + skipMsPerByte * heldBytes,
  });
  context.stderr.write(`fleetlog: goes on behind the ${bytes(heldBytes)} that were written before.\n`);
  return answer;
}

async function emptyNote({ api }: CliContext, { gateway, stream }: ExportOptions): Promise<string> {
  const { body } = await api.json<Streams>('/v1/streams', {
    ...(gateway.length === 1 && { gateway: gateway[0] }),
    ...(stream?.length === 1 && { stream: stream[0] }),
  });
  const chosen = body.streams.filter((one) => gateway.includes(one.gateway));
  const [found] = chosen;
  const name = `${gateway.join(', ')} ${stream?.join(', ') ?? ''}`.trim();
  if (chosen.length > 1)
    return `no records of ${name} in this range; "fleetlog streams" tells what there is.`;
  const holds = found?.firstTime
    ? `it holds ${moment(found.firstTime)} to ${moment(found.lastTime)}`
    : 'it is empty';
  return `no records of ${name} in this range; ${holds}.`;
}

import { InvalidArgumentError, type Command } from 'commander';
import { decodeBatch, encodePlain } from '@fleetlog/shared/batch';
import { stopSignal } from '@fleetlog/shared/cli';
import { FleetlogError, isDataError } from '@fleetlog/shared/errors';
import { systemClock } from '@fleetlog/shared/util';
import { consumeOrders, type ConsumeOrder } from '../api/consume-order.js';
import type { WireEvent } from '../client/events.js';
import { MemberConnection, type MemberRequest } from '../client/member.js';
import { batchFacts } from '../consumers/batch-facts.js';
import { isoMicros } from '../export/iso-time.js';
import { contextOf, createSubcommand, type CliContext, type CliStreams } from './fleetlog-context.js';

const outputFormats = ['ndjson', 'candump', 'cbor'] as const;
type OutputFormat = (typeof outputFormats)[number];
type DecodeWhat = 'records' | 'signals';
type BatchEvent = Extract<WireEvent, { event: 'batch' }>;

interface ConsumeOptions {
  group: string;
  from?: string;
  gateway?: string[];
  stream?: string[];
  /** Bare `--decode` comes as true, which counts as records. */
  decode?: DecodeWhat | true;
  commit?: number;
  format: OutputFormat;
  times?: string;
  untilEnd: boolean;
  order?: ConsumeOrder;
  wait?: string;
}

/** Batches after which is committed; 0: at the end. */
function commitMode(text: string): number {
  if (text === 'each') return 1;
  if (text === 'on-exit') return 0;
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count === 0) throw new InvalidArgumentError('Write each, on-exit, or a number of batches.');
  return count;
}

function decodeWhat(text: string): DecodeWhat {
  if (text === 'records' || text === 'signals') return text;
  throw new InvalidArgumentError('Write records or signals.');
}

function outputFormat(text: string): OutputFormat {
  const format = outputFormats.find((name) => name === text);
  if (!format) throw new InvalidArgumentError(`Choose one of ${outputFormats.join(', ')}.`);
  return format;
}

function orderName(text: string): ConsumeOrder {
  const order = consumeOrders.find((name) => name === text);
  if (!order) throw new InvalidArgumentError(`Choose one of ${consumeOrders.join(', ')}.`);
  return order;
}

export function consumeCommand(streams: CliStreams): Command {
  return createSubcommand(
    'consume',
    'Reads the log as a member of a group, from its checkpoint on, until Ctrl-C. Members of one group share the work,\n' +
      'and take over from one that dies. What was printed and not committed comes again.',
    [
      'fleetlog consume --group trips --from earliest --commit',
      'fleetlog consume --group can --gateway truck-17 --stream can0 --format candump --commit 100',
      'fleetlog consume --group values --decode signals --commit',
      'fleetlog consume --group trips --order event-time --wait 5m --commit',
      'fleetlog consume --group nightly --from -1d --decode --commit on-exit --until-end > day.ndjson',
    ],
  )
    .requiredOption('--group <name>', 'group; made where it is new')
    .option(
      '--from <where>',
      'where a new group begins: earliest, latest (default), a time of receipt, PARTITION:OFFSET,…',
    )
    .option('--gateway <id...>', 'only these gateways')
    .option('--stream <name...>', 'only these streams')
    .option(
      '--decode [what]',
      'print, and not batches, records (default of the flag), or signals: values with names and units',
      decodeWhat,
    )
    .option(
      '--commit [when]',
      'each batch (default of the flag), a number of batches, or on-exit',
      commitMode,
    )
    .option(
      '--format <format>',
      `${outputFormats.join(', ')} (candump prints records of CAN)`,
      outputFormat,
      'ndjson',
    )
    .option('--times <which>', 'of decoded records: corrected (default), or original: as stamped')
    .option(
      '--order <order>',
      'of batches: arrival (default), or event-time: waits for what gateways have yet',
      orderName,
    )
    .option('--wait <time>', 'longest that a batch waits with --order event-time (default: 30s)')
    .option('--until-end', 'end with what is in the log now', false)
    .action(async (options: ConsumeOptions, command: Command) => {
      const context = contextOf(command, streams);
      await consume(context, options, requestOf(options));
    });
}

function requestOf(options: ConsumeOptions): MemberRequest {
  const { group, from, gateway: gateways, stream, decode, format, times, untilEnd, order, wait } = options;
  if (wait !== undefined && order !== 'event-time') {
    throw new FleetlogError('FLEETLOG_USAGE', '--wait goes with --order event-time.');
  }
  if (decode !== undefined && format === 'cbor') {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      'CBOR carries batches as they are in the log; leave out --decode, or choose --format ndjson.',
    );
  }
  if (decode === 'signals' && format === 'candump') {
    throw new FleetlogError('FLEETLOG_USAGE', 'candump has no place for signals; choose --format ndjson.');
  }
  const ndjson = decode === 'signals' ? 'signals' : 'ndjson';
  const records = format === 'candump' ? 'candump' : decode === undefined ? undefined : ndjson;
  return { group, from, gateways, streams: stream, decode: records, times, untilEnd, order, wait };
}

async function consume(context: CliContext, options: ConsumeOptions, request: MemberRequest): Promise<void> {
  const { api, out, stderr } = context;
  const signal = stopSignal();
  const member = new MemberConnection(api, systemClock, request);
  // Bare `--commit` comes as true, which counts as each.
  const every = options.commit === undefined ? undefined : Number(options.commit);
  const done = new Map<number, number>();
  let batches = 0;
  let late = 0;
  const commit = async (): Promise<void> => {
    await out.finish(); // what is finished has left this process
    for (const [partition, next] of done) member.finish(partition, next);
    done.clear();
  };
  try {
    for await (const event of member.events(signal)) {
      if (event.event === 'records') await out.write(event.text);
      else if (event.event === 'batch') {
        if (event.error !== undefined) stderr.write(unreadable(event));
        const text = batchText(event, options);
        if (text) await out.write(text);
        done.set(event.partition, event.next ?? event.offset + 1);
        if (event.late) late++;
        batches++;
      } else if (event.event === 'position') done.set(event.partition, event.next);
      else if (event.event === 'lost') done.delete(event.partition);
      else note(event, request, stderr);
      if (every === undefined || done.size === 0) continue;
      // Another member waits for the partition, or there is time.
      const isGoodTime = event.event === 'revoked' || event.event === 'alive';
      if (isGoodTime || every === 1 || (every > 0 && batches >= every)) {
        batches = 0;
        await commit();
      }
    }
    if (every !== undefined) await commit();
    await out.finish();
  } finally {
    await member.close();
    if (late > 0)
      stderr.write(`fleetlog: ${late} batches came behind later ones; a longer --wait has fewer.\n`);
  }
  if (!signal.aborted && !options.untilEnd) {
    throw new FleetlogError(
      'FLEETLOG_INTERRUPTED',
      'The cloud has ended the connection; start this again to go on.',
    );
  }
}

function note(event: WireEvent, { from, group }: MemberRequest, stderr: NodeJS.WriteStream): void {
  if (event.event === 'joined' && !event.isNew && from !== undefined) {
    stderr.write(
      `fleetlog: group ${group} goes on from its checkpoint, and --from counts for a new group alone; ` +
        `"fleetlog groups reset --group ${group} --to ${from}" puts it there.\n`,
    );
  }
  if (event.event === 'skipped') {
    const { first, last, partition, cause } = event;
    const why = {
      trimmed: 'were trimmed by retention before this group read them',
      restored: 'are from before the log was restored from a backup',
      unreadable: "don't read any more",
    }[cause];
    stderr.write(
      `fleetlog: offsets ${first} to ${last} of partition ${partition} ${why}; it goes on behind.\n`,
    );
  }
}

const unreadable = ({ partition, offset, error }: BatchEvent): string =>
  `fleetlog: offset ${offset} of partition ${partition} doesn't read (${error}); "fleetlog verify" looks at all.\n`;

/** The line of a batch that isn't decoded, or its CBOR item. */
function batchText(event: BatchEvent, { format, decode }: ConsumeOptions): Uint8Array | string | undefined {
  const { bytes, error, next: _, ...place } = event;
  if (!bytes || format === 'candump') return undefined;
  if (format === 'cbor') return encodePlain({ ...place, bytes });
  const { receiveTimeUs, partition, offset, late } = place;
  const facts =
    error === undefined && !decode ? factsOf(bytes) : { error: error ?? 'FLEETLOG_BATCH_MALFORMED' };
  const line = {
    partition,
    offset,
    receiveTime: isoMicros(receiveTimeUs),
    ...(late && { late }),
    ...facts,
    bytes: Buffer.from(bytes).toString('base64'),
  };
  return `${JSON.stringify(line)}\n`;
}

function factsOf(bytes: Uint8Array): object {
  try {
    return batchFacts(decodeBatch(bytes).header);
  } catch (failure) {
    if (!isDataError(failure)) throw failure;
    return { error: failure.code };
  }
}

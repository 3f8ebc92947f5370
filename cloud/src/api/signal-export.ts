import { FleetlogError, isFleetlogError } from '@fleetlog/shared/errors';
import { isoMicros } from '../export/iso-time.js';
import { exportMixed } from '../export/mcap-mixed.js';
import { exportSignals, signalFormats } from '../export/signals.js';
import type { BatchRange } from '../index/index.js';
import type { ApiContext } from './context.js';
import { findColumns, planned, type AskedColumn } from './query-routes.js';

export interface SignalExport {
  /** Nothing but these bytes: no head that changes at the end. */
  formatter: undefined;
  chunks: AsyncGenerator<Uint8Array>;
  contentType: string;
  fromUs: number;
  toUs: number;
}

interface AskedSignals {
  gateway: readonly string[];
  signal: readonly string[];
  format?: string;
  from?: string;
  to?: string;
}

/** Values of signals as a file. Errors: FLEETLOG_USAGE, FLEETLOG_NOT_FOUND. */
export async function signalExport(
  context: ApiContext,
  asked: AskedSignals,
  clientGone: AbortSignal,
): Promise<SignalExport> {
  const { format = '', from, to } = asked;
  if (!isSignalFormat(format)) {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `Signals are exported as ${Object.keys(signalFormats).join(' or ')}; for csv and ndjson use "fleetlog query".`,
    );
  }
  const { index, log } = context;
  const columns = await columnsOf(context, asked);
  const range = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
  const { streams, range: bounds } = await planned(context, columns, range);
  const { contentType, create } = signalFormats[format];
  const check = (): void => clientGone.throwIfAborted();
  const isEmpty = !(bounds.fromUs < bounds.toUs);
  return {
    formatter: undefined,
    chunks: exportSignals({
      index,
      log,
      check,
      streams,
      columns: columns.length,
      formatter: create(columns),
    }),
    contentType,
    fromUs: isEmpty ? 0 : bounds.fromUs,
    toUs: isEmpty ? 1 : bounds.toUs,
  };
}

/** Values of signals beside the records of streams. Errors: FLEETLOG_USAGE, FLEETLOG_NOT_FOUND. */
export async function mixedExport(
  context: ApiContext,
  asked: AskedSignals,
  ranges: readonly BatchRange[],
  clientGone: AbortSignal,
): Promise<SignalExport> {
  if (asked.format !== 'mcap') {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      'Records and signals fit into one file as mcap only; choose that, or leave one of them out.',
    );
  }
  const { index, log } = context;
  const [{ fromUs, toUs }] = ranges;
  const columns = await columnsOf(context, asked);
  const { streams } = await planned(context, columns, { from: isoMicros(fromUs), to: isoMicros(toUs) });
  const check = (): void => clientGone.throwIfAborted();
  return {
    formatter: undefined,
    chunks: exportMixed({ index, log, check, ranges, streams, columns }),
    contentType: signalFormats.mcap.contentType,
    fromUs,
    toUs,
  };
}

/**
 * A column for each signal; of several gateways for each signal that one has, as `gateway/signal`. A signal that none of
 * them has is an error.
 */
async function columnsOf(
  context: ApiContext,
  { gateway: gateways, signal: names }: AskedSignals,
): Promise<AskedColumn[]> {
  const [gateway, ...others] = new Set(gateways);
  if (others.length === 0) return findColumns(context, { gateway, signal: [...names] });
  const columns: AskedColumn[] = [];
  for (const name of names) {
    let unknown: unknown;
    const before = columns.length;
    for (const one of [gateway, ...others]) {
      try {
        const [found] = await findColumns(context, { gateway: one, signal: [name] });
        columns.push({ ...found, name: `${one}/${name}`, rangesOf: always });
      } catch (error) {
        if (!isFleetlogError(error, 'FLEETLOG_NOT_FOUND')) throw error;
        unknown ??= error;
      }
    }
    if (columns.length === before) throw unknown;
  }
  return columns;
}

const always: AskedColumn['rangesOf'] = () => [{ fromUs: -Infinity, toUs: Infinity }];

const isSignalFormat = (name: string): name is keyof typeof signalFormats =>
  Object.hasOwn(signalFormats, name);

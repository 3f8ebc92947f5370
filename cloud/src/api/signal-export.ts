import { FleetlogError } from '@fleetlog/shared/errors';
import { exportSignals, signalFormats } from '../export/signals.js';
import type { ApiContext } from './context.js';
import { findColumns, planned } from './query-routes.js';

interface SignalExport {
  /** Nothing but these bytes: no head that changes at the end. */
  formatter: undefined;
  chunks: AsyncGenerator<Uint8Array>;
  contentType: string;
  fromUs: number;
  toUs: number;
}

/** Values of signals as a file. Errors: FLEETLOG_USAGE, FLEETLOG_NOT_FOUND. */
export async function signalExport(
  context: ApiContext,
  asked: {
    gateway: readonly string[];
    stream?: readonly string[];
    signal: string[];
    format?: string;
    from?: string;
    to?: string;
  },
  clientGone: AbortSignal,
): Promise<SignalExport> {
  const { gateway: gateways, stream, signal, format = '', from, to } = asked;
  if (!isSignalFormat(format)) {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `Signals are exported as ${Object.keys(signalFormats).join(' or ')}; for csv and ndjson use "fleetlog query".`,
    );
  }
  const [gateway, ...others] = gateways;
  if (others.length > 0 || stream) {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      'Signals are those of one gateway, and their names tell the stream.',
    );
  }
  const { index, log } = context;
  const columns = await findColumns(context, { gateway, signal });
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

const isSignalFormat = (name: string): name is keyof typeof signalFormats =>
  Object.hasOwn(signalFormats, name);

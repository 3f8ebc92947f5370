import { ColumnDecoder } from '../signals/column-decoder.js';
import type { StreamSignal } from '../signals/stream-signal.js';

/** A signal that is asked for. */
export interface QueryColumn {
  /** As it was asked for. */
  name: string;
  /** One signal as it is at different times, and on different gateways of a vehicle; never empty. */
  signals: readonly StreamSignal[];
}

/** Inclusive, exclusive. */
export interface TimeRange {
  fromUs: number;
  toUs: number;
}

/** One stream that columns are decoded from. */
export interface PlannedStream {
  gateway: string;
  stream: string;
  /** By time, without overlaps: when the gateway was where it is asked for. */
  ranges: readonly TimeRange[];
  /** Places in the row. */
  columns: readonly number[];
  signals: readonly (readonly StreamSignal[])[];
  decoder: ColumnDecoder;
}

/** Which streams have to be read when. `rangesOf`: when a gateway counts. */
export function planStreams(
  columns: readonly QueryColumn[],
  rangesOf: (gateway: string) => readonly TimeRange[],
): PlannedStream[] {
  const byStream = new Map<string, { gateway: string; stream: string; columns: number[] }>();
  for (const [column, { signals }] of columns.entries()) {
    for (const { gateway, stream } of signals) {
      const known = byStream.get(`${gateway}/${stream}`);
      if (!known) byStream.set(`${gateway}/${stream}`, { gateway, stream, columns: [column] });
      else if (known.columns.at(-1) !== column) known.columns.push(column);
    }
  }
  return Array.from(byStream.values(), ({ gateway, stream, columns: own }) => {
    const signals = own.map((column) =>
      columns[column].signals.filter((one) => one.gateway === gateway && one.stream === stream),
    );
    return {
      gateway,
      stream,
      ranges: rangesOf(gateway),
      columns: own,
      signals,
      decoder: new ColumnDecoder(signals),
    };
  });
}

/** What is in both: one range, or none. */
export function intersection(a: TimeRange, b: TimeRange): TimeRange[] {
  const both = { fromUs: Math.max(a.fromUs, b.fromUs), toUs: Math.min(a.toUs, b.toUs) };
  return both.fromUs < both.toUs ? [both] : [];
}

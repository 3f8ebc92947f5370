import { csvText } from '../export/csv-text.js';
import { keepsValues, suffixesOf, type Aggregate } from './cell.js';
import type { QueryColumn } from './plan.js';
import type { RowBytes } from './row-bytes.js';

/** Writes rows of values as text. */
export interface RowWriter {
  /** What comes before the first row. */
  readonly head: string;
  /** Appends a row. `values` by column; undefined where the column has none at this time. */
  row(timeUs: number, values: readonly (number | undefined)[], out: RowBytes): void;
}

export const rowFormats = ['csv', 'ndjson'] as const;
export type RowFormat = (typeof rowFormats)[number];

export const rowContentTypes: Record<RowFormat, string> = {
  csv: 'text/csv; charset=utf-8',
  ndjson: 'application/x-ndjson',
};

/** Side by side on one axis of time, or each value in a row of its own with the name of its signal. */
export const rowLayouts = ['wide', 'long'] as const;
export type RowLayout = (typeof rowLayouts)[number];

export interface RowOptions {
  layout: RowLayout;
  /** Text for values that have a label in the database. */
  labels: boolean;
  /** What the values are summed up to; undefined for every value. */
  aggregate: Aggregate | undefined;
}

/** A column of text. */
interface TextColumn {
  title: string;
  textOf: ReadonlyMap<number, string> | undefined;
}

/**
 * - csv: RFC 4180 with LF; a head line with `time` and the names (or `signal`, `value`); empty where there is no value
 * - ndjson: an object per row with `time` and the columns that have a value (of buckets: null for those that have none);
 *   null for what isn't finite
 *
 * Times are ISO 8601 in UTC with µs; of buckets their beginning.
 */
export function rowWriter(
  format: RowFormat,
  columns: readonly QueryColumn[],
  { layout, labels, aggregate }: RowOptions,
): RowWriter {
  const hasLabels = labels && (aggregate === undefined || keepsValues(aggregate));
  const suffixes = aggregate === undefined ? [''] : suffixesOf(aggregate);
  const own = columns.flatMap((column) => {
    const textOf = hasLabels ? labelsOf(column) : undefined;
    return suffixes.map((suffix): TextColumn => ({ title: column.name + suffix, textOf }));
  });
  if (format === 'csv') return layout === 'long' ? longCsv(own) : wideCsv(own);
  return layout === 'long' ? longNdjson(own) : wideNdjson(own, aggregate !== undefined);
}

function wideCsv(columns: readonly TextColumn[]): RowWriter {
  return {
    head: `time,${columns.map(({ title }) => csvText(title)).join(',')}\n`,
    row(timeUs, values, out) {
      out.time(timeUs);
      for (let k = 0; k < values.length; k++) {
        const value = values[k];
        out.text(',');
        if (value !== undefined) csvValue(columns[k], value, out);
      }
      out.text('\n');
    },
  };
}

function longCsv(columns: readonly TextColumn[]): RowWriter {
  const titles = columns.map(({ title }) => `,${csvText(title)},`);
  return {
    head: 'time,signal,value\n',
    row(timeUs, values, out) {
      for (let k = 0; k < values.length; k++) {
        const value = values[k];
        if (value === undefined) continue;
        out.time(timeUs);
        out.text(titles[k]);
        csvValue(columns[k], value, out);
        out.text('\n');
      }
    },
  };
}

function wideNdjson(columns: readonly TextColumn[], tellsNone: boolean): RowWriter {
  const keys = columns.map(({ title }) => `,${JSON.stringify(title)}:`);
  return {
    head: '',
    row(timeUs, values, out) {
      out.text('{"time":"');
      out.time(timeUs);
      out.text('"');
      for (let k = 0; k < values.length; k++) {
        const value = values[k];
        if (value === undefined && !tellsNone) continue;
        out.text(keys[k]);
        if (value === undefined) out.text('null');
        else jsonValue(columns[k], value, out);
      }
      out.text('}\n');
    },
  };
}

function longNdjson(columns: readonly TextColumn[]): RowWriter {
  const names = columns.map(({ title }) => `","signal":${JSON.stringify(title)},"value":`);
  return {
    head: '',
    row(timeUs, values, out) {
      for (let k = 0; k < values.length; k++) {
        const value = values[k];
        if (value === undefined) continue;
        out.text('{"time":"');
        out.time(timeUs);
        out.text(names[k]);
        jsonValue(columns[k], value, out);
        out.text('}\n');
      }
    },
  };
}

function csvValue({ textOf }: TextColumn, value: number, out: RowBytes): void {
  const label = textOf?.get(value);
  if (label === undefined) out.number(value);
  else out.text(csvText(label));
}

function jsonValue({ textOf }: TextColumn, value: number, out: RowBytes): void {
  const label = textOf?.get(value);
  if (label !== undefined) out.text(JSON.stringify(label));
  else if (Number.isFinite(value)) out.number(value);
  else out.text('null');
}

function labelsOf({ signals }: QueryColumn): ReadonlyMap<number, string> {
  const byValue = new Map<number, string>();
  for (const { labels } of signals) {
    for (const [value, label] of labels ?? []) byValue.set(value, label);
  }
  return byValue;
}

import { csvText } from '../export/csv-text.js';
import { IsoWriter } from '../export/iso-time.js';
import { keepsValues, suffixesOf, type Aggregate } from './cell.js';
import type { QueryColumn } from './plan.js';

/** Writes rows of values as text. */
export interface RowWriter {
  /** What comes before the first row. */
  readonly head: string;
  /** `values` by column; undefined where the column has none at this time. */
  row(timeUs: number, values: readonly (number | undefined)[]): string;
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
  const times = new IsoWriter();
  return {
    head: `time,${columns.map(({ title }) => csvText(title)).join(',')}\n`,
    row(timeUs, values) {
      let text = times.text(timeUs);
      for (let k = 0; k < values.length; k++) {
        const value = values[k];
        text += value === undefined ? ',' : `,${csvValue(columns[k], value)}`;
      }
      return `${text}\n`;
    },
  };
}

function longCsv(columns: readonly TextColumn[]): RowWriter {
  const times = new IsoWriter();
  const titles = columns.map(({ title }) => csvText(title));
  return {
    head: 'time,signal,value\n',
    row(timeUs, values) {
      const time = times.text(timeUs);
      let text = '';
      for (let k = 0; k < values.length; k++) {
        const value = values[k];
        if (value !== undefined) text += `${time},${titles[k]},${csvValue(columns[k], value)}\n`;
      }
      return text;
    },
  };
}

function wideNdjson(columns: readonly TextColumn[], tellsNone: boolean): RowWriter {
  const times = new IsoWriter();
  const keys = columns.map(({ title }) => `,${JSON.stringify(title)}:`);
  return {
    head: '',
    row(timeUs, values) {
      let text = `{"time":"${times.text(timeUs)}"`;
      for (let k = 0; k < values.length; k++) {
        const value = values[k];
        if (value !== undefined) text += keys[k] + jsonValue(columns[k], value);
        else if (tellsNone) text += `${keys[k]}null`;
      }
      return `${text}}\n`;
    },
  };
}

function longNdjson(columns: readonly TextColumn[]): RowWriter {
  const times = new IsoWriter();
  const names = columns.map(({ title }) => `"signal":${JSON.stringify(title)},"value":`);
  return {
    head: '',
    row(timeUs, values) {
      const time = times.text(timeUs);
      let text = '';
      for (let k = 0; k < values.length; k++) {
        const value = values[k];
        if (value !== undefined) text += `{"time":"${time}",${names[k]}${jsonValue(columns[k], value)}}\n`;
      }
      return text;
    },
  };
}

function csvValue({ textOf }: TextColumn, value: number): string | number {
  const label = textOf?.get(value);
  return label === undefined ? value : csvText(label);
}

const jsonValue = ({ textOf }: TextColumn, value: number): string =>
  JSON.stringify(textOf?.get(value) ?? value);

function labelsOf({ signals }: QueryColumn): ReadonlyMap<number, string> {
  const byValue = new Map<number, string>();
  for (const { labels } of signals) {
    for (const [value, label] of labels ?? []) byValue.set(value, label);
  }
  return byValue;
}

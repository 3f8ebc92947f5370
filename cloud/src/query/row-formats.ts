import { csvText } from '../export/csv-text.js';
import { IsoWriter } from '../export/iso-time.js';
import type { QueryColumn } from './raw.js';

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

interface RowOptions {
  /** Text for values that have a label in the database. */
  labels: boolean;
}

/**
 * - csv: RFC 4180 with LF; a head line with `time` and the names; empty where there is no value
 * - ndjson: an object per row with `time` and the columns that have a value; null for what isn't finite
 *
 * Times are ISO 8601 in UTC with µs.
 */
export function rowWriter(
  format: RowFormat,
  columns: readonly QueryColumn[],
  { labels }: RowOptions,
): RowWriter {
  const textOf = columns.map((column) => (labels ? labelsOf(column) : undefined));
  const times = new IsoWriter();
  if (format === 'csv') {
    return {
      head: `time,${columns.map(({ name }) => csvText(name)).join(',')}\n`,
      row(timeUs, values) {
        let text = times.text(timeUs);
        for (let k = 0; k < values.length; k++) {
          const value = values[k];
          if (value === undefined) text += ',';
          else {
            const label = textOf[k]?.get(value);
            text += `,${label === undefined ? value : csvText(label)}`;
          }
        }
        return `${text}\n`;
      },
    };
  }
  const keys = columns.map(({ name }) => `,${JSON.stringify(name)}:`);
  return {
    head: '',
    row(timeUs, values) {
      let text = `{"time":"${times.text(timeUs)}"`;
      for (let k = 0; k < values.length; k++) {
        const value = values[k];
        if (value === undefined) continue;
        text += keys[k] + JSON.stringify(textOf[k]?.get(value) ?? value);
      }
      return `${text}}\n`;
    },
  };
}

function labelsOf({ signals }: QueryColumn): ReadonlyMap<number, string> {
  const byValue = new Map<number, string>();
  for (const { labels } of signals) {
    for (const [value, label] of labels ?? []) byValue.set(value, label);
  }
  return byValue;
}

/** What is kept of the values of one signal in one span of time. Values that are NaN count for nothing. */
export interface Cell {
  count: number;
  min: number;
  max: number;
  sum: number;
  /** By time. */
  first: number;
  last: number;
}

export const emptyCell = (): Cell => ({ count: 0, min: 0, max: 0, sum: 0, first: 0, last: 0 });

/** Adds what comes behind in time. */
export function foldCell(into: Cell, later: Cell): void {
  if (later.count === 0) return;
  if (into.count === 0) {
    Object.assign(into, later);
    return;
  }
  into.count += later.count;
  into.sum += later.sum;
  if (later.min < into.min) into.min = later.min;
  if (later.max > into.max) into.max = later.max;
  into.last = later.last;
}

export const aggregates = ['mean', 'min', 'max', 'first', 'last', 'count', 'sum', 'envelope'] as const;
export type Aggregate = (typeof aggregates)[number];

/** Columns that an aggregate makes of one signal: what is added to its name. */
export const suffixesOf = (aggregate: Aggregate): readonly string[] =>
  aggregate === 'envelope' ? ['.min', '.max'] : [''];

/** Whether values of an aggregate are values of the signal, so that its labels fit them. */
export const keepsValues = (aggregate: Aggregate): boolean => !['mean', 'count', 'sum'].includes(aggregate);

/** Writes the columns of one signal into a row; of nothing there is a count, and no more. */
export function putAggregate(
  cell: Cell | undefined,
  aggregate: Aggregate,
  row: (number | undefined)[],
  at: number,
): void {
  switch (aggregate) {
    case 'count':
      row[at] = cell?.count ?? 0;
      break;
    case 'mean':
      row[at] = cell && cell.sum / cell.count;
      break;
    case 'envelope':
      row[at] = cell?.min;
      row[at + 1] = cell?.max;
      break;
    default:
      row[at] = cell?.[aggregate];
  }
}

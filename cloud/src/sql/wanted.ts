/** What of a table a statement can need: everything that isn't limited here. */
export interface Wanted {
  /** µs since 1970; inclusive, exclusive. */
  fromUs: number;
  toUs: number;
  /** By column, the only values that it can have. */
  values: Map<string, ReadonlySet<string>>;
}

/** A node of DuckDB's plan, as `EXPLAIN (FORMAT json)` gives it. */
export interface PlanNode {
  name: string;
  extra_info?: { Table?: string; Filters?: string | string[] };
  children?: PlanNode[];
}

/**
 * What a plan reads, by table. The filters are those that DuckDB itself pushed down to a scan: through joins, views,
 * subqueries and arithmetic on constants. What isn't understood here limits nothing: DuckDB filters what it is given
 * once more.
 */
export function wantedOf(plan: readonly PlanNode[]): Map<string, Wanted> {
  const all = new Map<string, Wanted>();
  const visit = ({ extra_info: info, children = [] }: PlanNode): void => {
    const table = info?.Table?.split('.').at(-1);
    if (table !== undefined) {
      const scan = scanOf([info?.Filters ?? []].flat());
      const before = all.get(table);
      all.set(table, before ? union(before, scan) : scan);
    }
    children.forEach(visit);
  };
  plan.forEach(visit);
  return all;
}

const dayUs = 86_400_000_000;

function scanOf(filters: readonly string[]): Wanted {
  const wanted: Wanted = { fromUs: -Infinity, toUs: Infinity, values: new Map() };
  for (const term of filters.flatMap(terms)) {
    const time = /^time\s*(>=|<=|=|>|<)\s*'([^']+)'::TIMESTAMP WITH TIME ZONE$/.exec(term);
    const date = /^CAST\(time AS DATE\)\s*(>=|<=|=|>|<)\s*'([^']+)'::DATE$/.exec(term);
    if (time) limitTime(wanted, time[1], microsOf(time[2]), 1);
    else if (date) limitTime(wanted, date[1], microsOf(`${date[2]} 00:00:00+00`), dayUs);
    else {
      const only = valuesOf(term);
      if (only) limitValues(wanted, only.column, only.values);
    }
  }
  return wanted;
}

/** `at` and what follows it for `lengthUs` count as one moment. */
function limitTime(wanted: Wanted, operator: string, at: number, lengthUs: number): void {
  if (Number.isNaN(at)) return;
  if (operator === '>' || operator === '>=' || operator === '=') {
    wanted.fromUs = Math.max(wanted.fromUs, operator === '>' ? at + lengthUs : at);
  }
  if (operator === '<' || operator === '<=' || operator === '=') {
    wanted.toUs = Math.min(wanted.toUs, operator === '<' ? at : at + lengthUs);
  }
}

function limitValues({ values }: Wanted, column: string, only: ReadonlySet<string>): void {
  const before = values.get(column);
  values.set(column, before ? new Set([...only].filter((value) => before.has(value))) : only);
}

/** Both of two scans of a table: the hull of their times, the values of either. */
function union(a: Wanted, b: Wanted): Wanted {
  const values = new Map<string, ReadonlySet<string>>();
  for (const [column, only] of a.values) {
    const others = b.values.get(column);
    if (others) values.set(column, new Set([...only, ...others]));
  }
  return { fromUs: Math.min(a.fromUs, b.fromUs), toUs: Math.max(a.toUs, b.toUs), values };
}

/** The parts of a conjunction, without brackets around them. */
function terms(filter: string): string[] {
  return split(bare(filter.replace(/^optional: /, '')), ' AND ').map(bare);
}

/** `column = 'a'`, `column = 'a' OR column = 'b'`, `column IN ('a', 'b')`. */
function valuesOf(term: string): { column: string; values: ReadonlySet<string> } | undefined {
  const list = /^(\w+) IN \((.*)\)$/s.exec(term);
  const cases = list
    ? split(list[2], ', ').map((text) => [list[1], text])
    : split(term, ' OR ').map((one) => /^(\w+)\s*=\s*(.*)$/s.exec(bare(one))?.slice(1) ?? []);
  const texts = cases.map(([, text]) => /^'((?:[^']|'')*)'$/s.exec(text ?? '')?.[1].replaceAll("''", "'"));
  const [column] = cases[0];
  if (column === undefined || cases.some(([other]) => other !== column)) return undefined;
  if (!texts.every((text) => text !== undefined)) return undefined;
  return { column, values: new Set(texts) };
}

/** Without brackets that are around all of it. */
function bare(text: string): string {
  const trimmed = text.trim();
  if (!trimmed.startsWith('(') || !trimmed.endsWith(')')) return trimmed;
  const inner = trimmed.slice(1, -1);
  return depths(inner).every((depth) => depth >= 0) ? bare(inner) : trimmed;
}

/** Cuts at a separator, but not within brackets or quotes. */
function split(text: string, separator: string): string[] {
  const depth = depths(text);
  const parts: string[] = [];
  let start = 0;
  for (let at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, at + 1)) {
    if (depth[at] !== 0) continue;
    parts.push(text.slice(start, at));
    start = at + separator.length;
  }
  return [...parts, text.slice(start)];
}

/** How many brackets are open at each character; infinitely many within quotes. */
function depths(text: string): number[] {
  let depth = 0;
  let isQuoted = false;
  return Array.from(text, (character) => {
    if (character === "'") isQuoted = !isQuoted;
    else if (!isQuoted && character === '(') depth++;
    else if (!isQuoted && character === ')') depth--;
    return isQuoted ? Infinity : depth;
  });
}

/** Of `2026-11-22 10:00:00.5+00`; NaN where it is no such time. */
function microsOf(text: string): number {
  const parts = /^(\d{4,6}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?\+00$/.exec(text);
  if (!parts) return NaN;
  const [, day, time, fraction = ''] = parts;
  return Date.parse(`${day}T${time}Z`) * 1000 + Number(fraction.padEnd(6, '0'));
}

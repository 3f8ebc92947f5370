import { bytesNeeded, type Message, type Signal } from '../dbc/model.js';
import { bitsOf, byteName, bytesOf, literal, valueOf } from './expression.js';
import { Rows } from './rows.js';

/** Decodes the frames `rows[from … to)` of one message into its groups of rows, which have room for them. */
export type DecodeFrames = (
  rows: Uint32Array,
  from: number,
  to: number,
  dataStart: Uint32Array,
  data: Uint8Array,
  timeOffsetUs: Int32Array,
  baseTimeUs: number,
  groups: readonly Rows[],
) => void;

/** Where a signal's values come to lie. */
interface Place {
  signal: Signal;
  group: number;
  column: number;
}

export interface MessageCode {
  run: DecodeFrames;
  places: Place[];
  /** Columns of each group. */
  widths: number[];
}

/** The signals that are there when a multiplexor has certain values; without one, those that always are. */
interface Scope {
  signals: Signal[];
  /** By name of the multiplexor, then by its values. */
  switches: Map<string, Map<string, { ranges: Signal['multiplexing'] & object; scope: Scope }>>;
}

/**
 * Makes a function that decodes some signals of a message. Its text holds numbers of the database only, each checked,
 * so a database can't make it do anything else (see `expression.ts`).
 */
export function generate({ signals: all }: Message, wanted: readonly Signal[]): MessageCode {
  const byName = new Map(all.map((signal) => [signal.name, signal]));
  const root: Scope = { signals: [], switches: new Map() };
  for (const signal of wanted) scopeOf(signal, byName, root).signals.push(signal);
  const writer = new CodeWriter(byName);
  writer.scope(root, new Set());
  return { run: compile(writer), places: writer.places, widths: writer.widths };
}

function scopeOf({ multiplexing }: Signal, byName: ReadonlyMap<string, Signal>, root: Scope): Scope {
  if (!multiplexing) return root;
  const { multiplexor, ranges } = multiplexing;
  const parent = scopeOf(byName.get(multiplexor)!, byName, root);
  let bySelector = parent.switches.get(multiplexor);
  if (!bySelector) {
    bySelector = new Map();
    parent.switches.set(multiplexor, bySelector);
  }
  const key = ranges.join(' ');
  let entry = bySelector.get(key);
  if (!entry) {
    entry = { ranges: multiplexing, scope: { signals: [], switches: new Map() } };
    bySelector.set(key, entry);
  }
  return entry.scope;
}

/** `case` labels of one switch; beyond, values are compared one after the other. */
const casesMax = 1024;

class CodeWriter {
  readonly places: Place[] = [];
  readonly widths: number[] = [];
  readonly lines: string[] = [];
  private selectors = 0;

  constructor(private readonly byName: ReadonlyMap<string, Signal>) {}

  /** `read` has the bytes that the code around has read already. */
  scope({ signals, switches }: Scope, read: ReadonlySet<number>): void {
    const own = new Set(read);
    if (signals.length > 0) {
      for (const signal of signals) this.read(signal, own);
      const group = this.widths.push(signals.length) - 1;
      this.lines.push(`t${group}[n${group}] = timeUs;`, `l${group}[n${group}] = length;`);
      for (const [column, signal] of signals.entries()) {
        this.places.push({ signal, group, column });
        this.lines.push(`v${group}_${column}[n${group}] = ${valueOf(signal)};`);
      }
      this.lines.push(`n${group}++;`, `if (length < m${group}) m${group} = length;`);
    }
    for (const [multiplexor, bySelector] of switches) {
      const signal = this.byName.get(multiplexor)!;
      this.lines.push(`if (length >= ${literal(bytesNeeded(signal))}) {`);
      const inner = new Set(own);
      this.read(signal, inner);
      this.switch(bitsOf(signal), [...bySelector.values()], inner);
      this.lines.push('}');
    }
  }

  private read(signal: Signal, read: Set<number>): void {
    for (const byte of bytesOf(signal)) {
      if (read.has(byte)) continue;
      read.add(byte);
      this.lines.push(`const ${byteName(byte)} = data[start + ${literal(byte)}];`);
    }
  }

  private switch(
    bits: string,
    branches: { ranges: { ranges: readonly (readonly [number, number])[] }; scope: Scope }[],
    read: ReadonlySet<number>,
  ): void {
    const selector = `s${this.selectors++}`;
    this.lines.push(`const ${selector} = ${bits};`);
    const cases = branches.map(({ ranges }) => valuesOf(ranges.ranges));
    const all = cases.flat();
    const areDistinct = new Set(all).size === all.length;
    if (areDistinct && all.length <= casesMax && cases.every((values) => values.length > 0)) {
      this.lines.push(`switch (${selector}) {`);
      for (const [i, { scope }] of branches.entries()) {
        this.lines.push(...cases[i].map((value) => `case ${literal(value)}:`), '{');
        this.scope(scope, read);
        this.lines.push('break; }');
      }
      this.lines.push('}');
      return;
    }
    for (const { ranges, scope } of branches) {
      const tests = ranges.ranges.map(
        ([first, last]) => `${selector} >= ${literal(first)} && ${selector} <= ${literal(last)}`,
      );
      this.lines.push(`if (${tests.join(' || ')}) {`);
      this.scope(scope, read);
      this.lines.push('}');
    }
  }
}

/** The values of small ranges one by one; none where they are too many, or not whole. */
function valuesOf(ranges: readonly (readonly [number, number])[]): number[] {
  const values: number[] = [];
  for (const [first, last] of ranges) {
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || last - first > 64) return [];
    for (let value = first; value <= last; value++) values.push(value);
  }
  return values.length <= casesMax ? values : [];
}

const parameters = 'rows, from, to, dataStart, data, timeOffsetUs, baseTimeUs, groups';

/**
 * By text: whoever asks for the same signals again has a function that runs at full speed already. It holds nothing of
 * whoever used it.
 */
const compiled = new Map<string, DecodeFrames>();
const compiledMax = 256;

function compile({ lines, widths }: CodeWriter): DecodeFrames {
  const before: string[] = [];
  const after: string[] = [];
  for (const [group, width] of widths.entries()) {
    const object = `groups[${group}]`;
    before.push(
      `const t${group} = ${object}.times, l${group} = ${object}.lengths;`,
      `let n${group} = ${object}.count, m${group} = ${object}.shortestBytes;`,
    );
    for (let column = 0; column < width; column++) {
      before.push(`const v${group}_${column} = ${object}.values[${column}];`);
    }
    after.push(`${object}.count = n${group}; ${object}.shortestBytes = m${group};`);
  }
  const body = [
    '"use strict";',
    `return function (${parameters}) {`,
    ...before,
    'for (let k = from; k < to; k++) {',
    'const i = rows[k], start = dataStart[i], length = dataStart[i + 1] - start;',
    'const timeUs = baseTimeUs + timeOffsetUs[i];',
    ...lines,
    '}',
    ...after,
    '};',
  ].join('\n');
  const known = compiled.get(body);
  if (known) return known;
  const scratch = new ArrayBuffer(8);
  // Typed arrays have the machine's byte order; all machines that this runs on are little-endian.
  // oxlint-disable-next-line typescript/no-implied-eval, no-new-func -- numbers only, see above
  const make = new Function('u32', 'f32', 'f64', body) as (
    u32: Uint32Array,
    f32: Float32Array,
    f64: Float64Array,
  ) => DecodeFrames;
  const run = make(new Uint32Array(scratch), new Float32Array(scratch), new Float64Array(scratch));
  if (compiled.size >= compiledMax) compiled.clear();
  compiled.set(body, run);
  return run;
}

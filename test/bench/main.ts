import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem, release } from 'node:os';
import { parseArgs } from 'node:util';
import type { BenchRow } from './row.js';

/**
 * `npm run bench [-- NAME …] [--output FILE]`: runs the benchmarks one after the other, each in this process unless it
 * starts others itself, and prints figure, unit and what it was measured on. With `--output` the table is kept, with
 * the machine's description, as the files beside this one are.
 */
const suites: Record<string, () => Promise<BenchRow[]>> = {
  fleet: async () => (await import('./fleet.bench.js')).benchFleet(),
  codec: async () => (await import('./codec.bench.js')).benchCodec(),
  signals: async () => (await import('./signals.bench.js')).benchSignals(),
  query: async () => (await import('./query.bench.js')).benchQuery(),
  parse: async () => (await import('./pipeline.bench.js')).benchParse(),
  capture: async () => (await import('./capture.bench.js')).benchCapture(),
  flash: async () => (await import('./flash.bench.js')).benchFlash(),
  buffer: async () => (await import('./buffer.bench.js')).benchBuffer(),
  footprint: async () => (await import('./footprint.bench.js')).benchFootprint(),
  start: async () => (await import('./start.bench.js')).benchStart(),
  day: async () => (await import('./day.bench.js')).benchDay(),
  ingest: async () => (await import('./ingest.bench.js')).benchIngest(),
  kafka: async () => (await import('./kafka.bench.js')).benchKafka(),
  export: async () => (await import('./export.bench.js')).benchExport(),
  'export-memory': async () => (await import('./export-memory.bench.js')).benchExportMemory(),
  groups: async () => (await import('./groups.bench.js')).benchGroups(),
  sizing: async () => (await import('./sizing.bench.js')).benchSizing(),
  tail: async () => (await import('./tail.bench.js')).benchTail(),
  consume: async () => (await import('./consume.bench.js')).benchConsume(),
};

const { values, positionals } = parseArgs({
  options: { output: { type: 'string' } },
  allowPositionals: true,
});
const names = positionals.length > 0 ? positionals : Object.keys(suites);
const unknown = names.filter((name) => !(name in suites));
if (unknown.length > 0) {
  console.error(`No benchmark ${unknown.join(', ')}; there are ${Object.keys(suites).join(', ')}.`);
  process.exit(2);
}

const lines = [machine(), ''];
console.log(lines.join('\n'));
for (const name of names) {
  const rows = await suites[name]();
  const text = rows.map(
    (row) => `${name.padEnd(9)} ${row.name.padEnd(44)} ${figure(row).padStart(22)}  ${row.on}`,
  );
  console.log(text.join('\n'));
  lines.push(...text);
}
if (values.output) writeFileSync(values.output, `${lines.join('\n')}\n`);
process.exit(0);

function figure({ value, unit }: BenchRow): string {
  const digits = Math.abs(value) >= 100 ? 0 : 2;
  return `${value.toLocaleString('en', { maximumFractionDigits: digits })} ${unit}`;
}

function machine(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return (
    `${new Date().toISOString().slice(0, 10)}  ${cpus().length} × ${cpu?.model ?? 'unknown processor'}, ` +
    `${memory} GiB, ${distribution()}, Linux ${release()}, Node ${process.version}`
  );
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform;
  } catch {
    return process.platform;
  }
}

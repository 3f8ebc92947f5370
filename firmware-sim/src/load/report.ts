import type { LoadReport } from './load.js';
import type { LoadCounters } from './options.js';

const number = (value: number): string => Math.round(value).toLocaleString('en-US');
export const latencyShares = [0.5, 0.9, 0.99, 0.999] as const;

/** A second of a load in one line. */
export function progressLine(
  elapsedMs: number,
  now: LoadCounters,
  before: LoadCounters,
  framesPerBatch: number,
): string {
  const batches = now.acknowledged - before.acknowledged;
  const waiting = now.due - now.acknowledged;
  return (
    `${(elapsedMs / 1000).toFixed(0).padStart(4)} s  ${number(now.connected)} connected  ` +
    `${number(batches)} batches/s  ${number(batches * framesPerBatch)} frames/s  ${number(waiting)} waiting` +
    (now.dropped > 0 ? `  ${number(now.dropped)} lost connections` : '')
  );
}

/** A load in words: what was asked, what came of it. */
export function loadRows({
  options,
  seconds,
  counters,
  unacknowledged,
  latency,
  connectedMost,
}: LoadReport): [name: string, text: string][] {
  const { framesPerBatch } = options;
  const { due, acknowledged, refused, resent, bytes, dropped, failed, storms } = counters;
  const ms = (us: number): string => `${(us / 1000).toFixed(1)} ms`;
  return [
    ['gateways', `${number(options.gateways)}, at most ${number(connectedMost)} connected at one time`],
    [
      'batches',
      `${number(due)} due, ${number(acknowledged)} acknowledged, ${number(unacknowledged)} not, ${number(refused)} refused`,
    ],
    [
      'rate',
      `${number(acknowledged / seconds)} batches/s, ${number((acknowledged * framesPerBatch) / seconds)} frames/s, ${number(bytes / seconds / 1000)} kB/s over ${seconds.toFixed(1)} s`,
    ],
    [
      'connections',
      `${number(dropped)} lost, ${number(failed)} attempts failed, ${number(storms)} storms, ${number(resent)} batches sent again`,
    ],
    [
      'latency',
      [
        ...latencyShares.map((share) => `p${share * 100} ${ms(latency.percentile(share))}`),
        `max ${ms(latency.max)}`,
      ].join(', '),
    ],
  ];
}

/** A load for people, with how latencies are spread. */
export function loadText(report: LoadReport): string {
  const lines = loadRows(report).map(([name, text]) => `${name.padEnd(12)}${text}`);
  return `${lines.join('\n')}\n${spread(report.latency)}From the moment a batch was due to its acknowledgement, after the cloud's fsync.\n`;
}

/** How many batches took how long, in steps of a factor of two, from the first that has any. */
export function octaves(latency: LoadReport['latency']): { highUs: number; batches: number }[] {
  const rows: { highUs: number; batches: number }[] = [];
  if (latency.count === 0) return rows;
  for (let low = 0, high = 1000; low <= latency.max; low = high, high *= 2) {
    const batches = latency.between(low, high);
    if (batches > 0 || rows.length > 0) rows.push({ highUs: high, batches });
  }
  return rows;
}

function spread(latency: LoadReport['latency']): string {
  return octaves(latency)
    .map(({ highUs, batches }) => {
      const bar = '#'.repeat(Math.ceil((50 * batches) / latency.count));
      return `${`  < ${String(highUs / 1000).padStart(6)} ms ${number(batches).padStart(12)} ${bar}`.trimEnd()}\n`;
    })
    .join('');
}

/** The same for programs. */
export function loadJson({ latency, ...report }: LoadReport): object {
  const latencyMs = Object.fromEntries(
    latencyShares.map((share) => [`p${share * 100}`, latency.percentile(share) / 1000]),
  );
  return { ...report, latencyMs: { ...latencyMs, max: latency.max / 1000 } };
}

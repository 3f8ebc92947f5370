import Table from 'cli-table3';
import type { StreamVerdict } from './judge-stream.js';
import { isFlawlessStream, type Verdict } from './verdict.js';

const number = (value: number): string => value.toLocaleString('en-US');
const seconds = (ms: number): string => (ms / 1000).toFixed(2);

/** A verdict for people. */
export function verdictText({ streams, unmarked, ledgerHash, isFlawless }: Verdict): string {
  const hasAges = streams.some(({ ageMs }) => ageMs);
  const table = new Table({
    head: [
      'gateway',
      'stream',
      'sent',
      'logged',
      'explained',
      'lost',
      'duplicated',
      'altered',
      'out of order',
      ...(hasAges ? ['age p50', 'p95', 'p99', 'max'] : []),
    ],
    colAligns: ['left', 'left', ...Array.from({ length: 11 }, () => 'right' as const)],
    style: { head: [], border: [], compact: true },
    chars: { mid: '', 'mid-mid': '', 'left-mid': '', 'right-mid': '' },
  });
  for (const row of streams) table.push(cells(row, hasAges));
  const notes = [
    ...(hasAges ? ['Ages in seconds, as somebody who tails the log saw them.'] : []),
    ...(unmarked.length > 0 ? [`Not marked as simulated: ${unmarked.join(', ')}.`] : []),
    ...openBatches(streams),
    verdictSummary(streams, isFlawless),
    `Ledger ${ledgerHash}.`,
  ];
  return `${table.toString()}\n${notes.join('\n')}\n`;
}

function cells(row: StreamVerdict, hasAges: boolean): string[] {
  const { gateway, stream, ageMs } = row;
  const counts = [row.sent, row.logged, row.explained, row.lost, row.duplicated, row.altered, row.outOfOrder];
  const ages = ageMs ? [ageMs.p50, ageMs.p95, ageMs.p99, ageMs.max].map(seconds) : ['-', '-', '-', '-'];
  return [gateway, stream, ...counts.map(number), ...(hasAges ? ages : [])];
}

const openBatches = (streams: readonly StreamVerdict[]): string[] =>
  streams
    .filter(({ openBatches: open }) => open > 0)
    .map(
      (row) => `${row.gateway}/${row.stream}: the cloud itself misses ${number(row.openBatches)} batches.`,
    );

/** What is wrong, over all streams, by its name. */
export function flawsOf(streams: readonly StreamVerdict[]): Record<string, number> {
  const sum = (of: (row: StreamVerdict) => number): number => streams.reduce((all, row) => all + of(row), 0);
  return {
    lost: sum(({ lost }) => lost),
    duplicated: sum(({ duplicated }) => duplicated),
    altered: sum(({ altered }) => altered),
    'out of order': sum(({ outOfOrder }) => outOfOrder),
  };
}

/** The verdict in a sentence. */
export function verdictSummary(streams: readonly StreamVerdict[], isFlawless: boolean): string {
  const sent = streams.reduce((all, row) => all + row.sent, 0);
  const records = `${number(sent)} records of ${number(streams.length)} streams`;
  if (isFlawless) return `Nothing was lost, duplicated, altered or reordered: ${records}, all simulated.`;
  const flaws = Object.entries(flawsOf(streams)).map(([name, count]) => `${number(count)} ${name}`);
  const flawed = streams.filter((row) => !isFlawlessStream(row)).length;
  return `Of ${records}: ${flaws.join(', ')} without a reason, in ${number(flawed)} streams.`;
}

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
    summary(streams, isFlawless),
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

function summary(streams: readonly StreamVerdict[], isFlawless: boolean): string {
  const sum = (of: (row: StreamVerdict) => number): number => streams.reduce((all, row) => all + of(row), 0);
  const records = `${number(sum(({ sent }) => sent))} records of ${number(streams.length)} streams`;
  if (isFlawless) return `Nothing was lost, duplicated, altered or reordered: ${records}, all simulated.`;
  const flawed = streams.filter((row) => !isFlawlessStream(row)).length;
  return (
    `Of ${records}: ${number(sum(({ lost }) => lost))} lost, ${number(sum((row) => row.duplicated))} duplicated, ` +
    `${number(sum(({ altered }) => altered))} altered, ${number(sum((row) => row.outOfOrder))} out of order ` +
    `without a reason, in ${number(flawed)} streams.`
  );
}

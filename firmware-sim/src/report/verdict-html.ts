import type { Ledger } from '../ledger/ledger.js';
import { MINUTE_US } from '../ledger/minutes.js';
import { flawsOf, verdictSummary } from '../verdict/report.js';
import { isFlawlessStream, type Verdict } from '../verdict/verdict.js';
import { barChart, lineChart } from './charts.js';
import { page, section, table, tiles } from './page.js';

const count = (value: number): string => value.toLocaleString('en-US');
const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
const MINUTES_PER_HOUR = 60;
/** A line through fewer points says nothing. */
const MINUTES_PLOTTED_MIN = 4;

/** A verdict as a page; `happened`: what went wrong on purpose, a sentence each. */
export function verdictHtml(verdict: Verdict, ledger: Ledger, happened: readonly string[] = []): string {
  const { streams, isFlawless, scenario, ledgerHash } = verdict;
  const flaws = flawsOf(streams);
  const sent = streams.reduce((sum, row) => sum + row.sent, 0);
  const explained = streams.reduce((sum, row) => sum + row.explained, 0);
  const aged = streams.filter(({ ageMs }) => ageMs);
  const minutes = said(ledger);
  return page(
    `Scenario ${scenario}: ${isFlawless ? 'nothing is missing' : 'something is wrong'}`,
    `${verdictSummary(streams, isFlawless)} Seed ${ledger.seed}, ledger ${ledgerHash}.`,
    [
      tiles([
        { value: count(sent), label: 'records said' },
        { value: count(streams.length), label: 'streams' },
        { value: count(explained), label: 'given up, and explained' },
        ...Object.entries(flaws).map(([label, value]) => ({
          value: count(value),
          label,
          tone: value > 0 ? ('bad' as const) : ('good' as const),
        })),
      ]),
      ...(minutes.length >= MINUTES_PLOTTED_MIN
        ? [
            section(
              'What was said',
              lineChart({
                title: 'All vehicles',
                unit: 'records per minute of the drive',
                x: minutes.map((_, minute) => minute),
                xText: (at) =>
                  `${Math.floor(at / MINUTES_PER_HOUR)}:${String(Math.floor(at % MINUTES_PER_HOUR)).padStart(2, '0')}`,
                series: [{ name: 'records', values: minutes }],
              }),
            ),
          ]
        : []),
      ...(aged.length > 0
        ? [
            section(
              'How old records were when they came',
              (['p50', 'p99', 'max'] as const)
                .map((share) =>
                  barChart(
                    `Age ${share}`,
                    'as somebody who tails the log saw it',
                    aged.map(({ gateway, stream, ageMs }) => ({
                      label: `${gateway}/${stream}`,
                      value: ageMs?.[share] ?? 0,
                      text: seconds(ageMs?.[share] ?? 0),
                    })),
                  ),
                )
                .join(''),
            ),
          ]
        : []),
      section(
        'Streams',
        table(
          [
            'gateway',
            'stream',
            'said',
            'logged',
            'explained',
            'lost',
            'duplicated',
            'altered',
            'out of order',
          ],
          streams.map((row) => [
            row.gateway,
            row.stream,
            ...[
              row.sent,
              row.logged,
              row.explained,
              row.lost,
              row.duplicated,
              row.altered,
              row.outOfOrder,
            ].map(count),
          ]),
          2,
          (i) => !isFlawlessStream(streams[i]),
        ),
      ),
      ...(happened.length > 0
        ? [
            section(
              'What went wrong on purpose',
              table(
                ['minute, who, what'],
                happened.map((text) => [text]),
                1,
              ),
            ),
          ]
        : []),
    ],
  );
}

/** Records by minute of the drive, over all streams. */
function said({ streams }: Ledger): number[] {
  const counts = new Map<number, number>();
  for (const { minutes, trip } of streams) {
    const departs = Math.floor((trip?.departsUs ?? 0) / MINUTE_US);
    for (const [minute, records] of minutes)
      counts.set(departs + minute, (counts.get(departs + minute) ?? 0) + records);
  }
  const last = Math.max(-1, ...counts.keys());
  return Array.from({ length: last + 1 }, (_, minute) => counts.get(minute) ?? 0);
}

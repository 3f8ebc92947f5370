import type { LoadReport } from '../load/load.js';
import { latencyShares, loadRows, octaves } from '../load/report.js';
import { barChart, lineChart, type Series } from './charts.js';
import { page, section, table, tiles } from './page.js';

const count = (value: number): string => Math.round(value).toLocaleString('en-US');
const ms = (us: number): string => `${(us / 1000).toFixed(1)} ms`;

/** A load as a page: what was asked, what came of it, and how both went on over time. */
export function loadHtml(report: LoadReport): string {
  const { options, counters, latency, timeline, unacknowledged, connectedMost, seconds } = report;
  const x = timeline.map(({ atMs }) => atMs);
  const xText = (at: number): string => `${Math.round(at / 1000)} s`;
  const over = (name: string, of: (sample: (typeof timeline)[number]) => number): Series => ({
    name,
    values: timeline.map(of),
  });
  const rate = (name: string, key: 'due' | 'acknowledged'): Series =>
    over(name, (sample) => sample.rates[key]);
  const bad = unacknowledged + counters.refused;
  return page(
    `Load: ${count(options.gateways)} gateways`,
    `${options.host}:${options.port}, a batch of ${count(options.framesPerBatch)} frames each ${options.intervalMs / 1000} s, ${seconds.toFixed(1)} s`,
    [
      tiles([
        { value: count(connectedMost), label: 'connected at one time' },
        { value: count(counters.acknowledged), label: 'batches acknowledged' },
        { value: count(bad), label: 'not acknowledged or refused', tone: bad > 0 ? 'bad' : 'good' },
        ...latencyShares.map((share) => ({
          value: ms(latency.percentile(share)),
          label: `latency p${share * 100}`,
        })),
        { value: ms(latency.max), label: 'latency max' },
      ]),
      section(
        'Over time',
        [
          lineChart({
            title: 'Throughput',
            unit: 'batches/s',
            x,
            xText,
            series: [rate('due', 'due'), rate('acknowledged', 'acknowledged')],
          }),
          lineChart({
            title: 'Latency',
            unit: 'ms, of what was acknowledged in each second',
            x,
            xText,
            series: [
              over('p50', (s) => s.latencyMs.p50),
              over('p99', (s) => s.latencyMs.p99),
              over('max', (s) => s.latencyMs.max),
            ],
          }),
          lineChart({
            title: 'Connections',
            unit: 'gateways',
            x,
            xText,
            series: [over('connected', (s) => s.connected)],
          }),
          lineChart({
            title: 'Waiting',
            unit: 'batches that are due and not acknowledged',
            x,
            xText,
            series: [over('waiting', (s) => s.waiting)],
          }),
        ].join(''),
      ),
      section(
        'Latency',
        barChart(
          'From the moment a batch was due to its acknowledgement',
          "after the cloud's fsync",
          octaves(latency).map(({ highUs, batches }) => ({
            label: `below ${highUs / 1000} ms`,
            value: batches,
            text: count(batches),
          })),
        ),
      ),
      section('In words', table(['', ''], loadRows(report), 2)),
    ],
  );
}

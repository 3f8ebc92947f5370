import assert from 'node:assert/strict';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { Histogram } from '#sim/fleet/histogram.js';
import type { LoadReport } from '#sim/load/load.js';
import { noCounters } from '#sim/load/options.js';
import { loadHtml } from '#sim/report/load-html.js';
import { writePage } from '#sim/report/page.js';
import { verdictHtml } from '#sim/report/verdict-html.js';
import type { Ledger } from '#sim/ledger/ledger.js';
import type { StreamVerdict } from '#sim/verdict/judge-stream.js';

/** What a page must not have: it is to be opened years later, without a network, and never runs anything. */
const needsOthers = /<script|<link|<img|<iframe|https?:|url\(|@import|\son\w+=/i;
const isWellFormed = (html: string): boolean => {
  const open: string[] = [];
  for (const [, slash, tag, self] of html.matchAll(/<(\/?)([a-z]+[0-9]?)(?:\s[^>]*?)?(\/?)>/g)) {
    if (['meta', 'line', 'rect', 'polyline'].includes(tag) || self) continue;
    if (!slash) open.push(tag);
    else if (open.pop() !== tag) return false;
  }
  return open.length === 0;
};
const pointsOf = (html: string): number[][][] =>
  Array.from(html.matchAll(/<polyline [^>]*points="([^"]*)"/g), ([, points]) =>
    points.split(' ').map((point) => point.split(',').map(Number)),
  );

function loadReport(seconds: number): LoadReport {
  const latency = new Histogram();
  for (const us of [900, 5000, 70_000]) latency.add(us);
  return {
    options: {
      host: 'a<b>&"c',
      port: 1883,
      gateways: 10_000,
      framesPerBatch: 10,
      intervalMs: 1000,
      thinkMs: 0,
      durationMs: 1000,
      rampUpMs: 0,
      stormEveryMs: 0,
      stormShare: 1,
      window: 64,
    },
    simulated: true,
    seconds,
    counters: { ...noCounters(), due: 3, acknowledged: 3 },
    unacknowledged: 0,
    latency,
    connectedMost: 10_000,
    timeline: Array.from({ length: seconds }, (_, i) => ({
      atMs: (i + 1) * 1000,
      connected: i,
      waiting: 0,
      rates: { due: 100, acknowledged: i },
      latencyMs: { p50: 1, p99: 2, max: 3 },
    })),
  };
}

const stream: StreamVerdict = {
  gateway: 'car-1',
  stream: 'can0',
  sent: 7,
  logged: 6,
  explained: 0,
  lost: 1,
  duplicated: 0,
  altered: 0,
  outOfOrder: 0,
  openBatches: 0,
  ageMs: { p50: 10, p95: 20, p99: 30, max: 40 },
};
const ledger: Ledger = {
  fleetlogLedger: 1,
  simulated: true,
  scenario: 'town',
  seed: 4,
  startUs: 0,
  durationUs: 300e6,
  hash: 'abc',
  streams: [
    {
      gateway: 'car-1',
      stream: 'can0',
      format: 'candump',
      kind: 'truck',
      seed: 1,
      fixRateHz: 1,
      records: 7,
      minutes: [
        [0, 3, 'x'],
        [4, 4, 'y'],
      ],
    },
  ],
};

describe('a report as a page', () => {
  it('needs nothing but itself, has both colour schemes, and takes no text for markup', () => {
    const pages = [
      loadHtml(loadReport(5)),
      verdictHtml(
        {
          scenario: 'town',
          ledgerHash: 'abc',
          simulated: true,
          isFlawless: false,
          streams: [stream],
          unmarked: [],
        },
        ledger,
        ['<b>'],
      ),
    ];
    for (const html of pages) {
      assert.doesNotMatch(html, needsOthers);
      assert.match(html, /default-src 'none'/);
      assert.match(html, /prefers-color-scheme: dark/);
      assert.ok(isWellFormed(html));
    }
    assert.match(pages[0], /a&lt;b&gt;&amp;&quot;c/);
    assert.match(pages[1], /&lt;b&gt;/);
  });

  it('of a load draws what was measured, within the frame, however long it took', () => {
    for (const seconds of [0, 1, 20, 5000]) {
      const lines = pointsOf(loadHtml(loadReport(seconds)));
      assert.equal(lines.length, 7);
      for (const [x, y] of lines.flat()) {
        if (seconds === 0) continue;
        assert.ok(x >= 60 && x <= 910 && y >= 0 && y <= 200, `${x},${y}`);
      }
      assert.ok(lines.every((line) => line.length <= 900));
    }
    const [due, acknowledged] = pointsOf(loadHtml(loadReport(20)));
    assert.equal(new Set(due.map(([, y]) => y)).size, 1, 'a level line');
    assert.deepEqual(
      acknowledged.map(([, y]) => y),
      acknowledged.map(([, y]) => y).toSorted((a, b) => b - a),
      'a rising line goes up',
    );
  });

  it('of a verdict says what is wrong, and in which minutes vehicles were silent', () => {
    const html = verdictHtml(
      {
        scenario: 'town',
        ledgerHash: 'abc',
        simulated: true,
        isFlawless: false,
        streams: [stream],
        unmarked: [],
      },
      ledger,
    );
    assert.match(html, /something is wrong/);
    assert.match(html, /<div class="tile bad"><b>1<\/b><span>lost/);
    assert.match(html, /<tr class="bad"><td>car-1/);
    const [line] = pointsOf(html);
    assert.equal(line.length, 5);
    assert.equal(new Set(line.slice(1, 4).map(([, y]) => y)).size, 1);
  });

  it('that can not be written is a sentence', async () => {
    await assert.rejects(writePage('/proc/none/x.html', ''), (error: Error) =>
      isFleetlogError(error, 'FLEETLOG_USAGE'),
    );
  });
});

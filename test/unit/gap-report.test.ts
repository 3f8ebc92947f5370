import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RangeSet } from '@fleetlog/shared/util';
import { gapReport, type GapReport } from '#cloud/api/gap-report.js';
import { pendingBatches } from '#cloud/api/buffered.js';
import type { GapRecord } from '#cloud/index/index.js';
import { FakeFleet } from '../support/fake-fleet.js';

const epoch = '1111111111111111';
const oldEpoch = '0000000000000000';
const gateway = 'truck-17';

const gap = (first: number, last: number): GapRecord => ({
  gateway,
  stream: 'can0',
  epoch,
  first,
  last,
  cause: 'buffer-full',
  detail: '',
  records: 1,
  firstTimeUs: 0,
  lastTimeUs: 0,
});

const indexOf = (gaps: GapRecord[]): { gaps(): AsyncIterable<GapRecord> } => ({
  async *gaps() {
    yield* gaps;
  },
});

/** A fleet of one gateway whose buffer has `first … next - 1` of can0. */
function fleetOf(held: RangeSet, buffered?: { first: number; next: number }): FakeFleet {
  const fleet = new FakeFleet();
  fleet.sequences = [{ gateway, epoch, stream: 'can0', held }];
  const streams = buffered && { can0: { kind: 'can', ...buffered, bytes: 0, discarded: 0 } };
  fleet.gateways = [
    {
      gateway,
      connected: false,
      lastSeenUs: 0,
      status: streams && { connected: false, epoch, version: '0', timeUs: 0, streams },
    },
  ];
  return fleet;
}

const states = ({ rows }: GapReport): unknown[] => rows.map(({ first, last, state }) => [first, last, state]);

describe('gap report', () => {
  it('is empty where everything is held', async () => {
    const report = await gapReport(
      indexOf([]),
      fleetOf(new RangeSet([[0, 99]]), { first: 100, next: 100 }),
      {},
    );
    assert.deepEqual(report, {
      rows: [],
      truncated: false,
      thinned: 0,
      streams: 1,
      held: 100,
      batches: { explained: 0, pending: 0, trimmed: 0, missing: 0 },
    });
  });

  it('splits a hole where the gateway has its end in the buffer still', async () => {
    const held = new RangeSet([
      [0, 3],
      [10, 12],
    ]);
    const report = await gapReport(indexOf([]), fleetOf(held, { first: 6, next: 20 }), {});
    assert.deepEqual(states(report), [
      [4, 5, 'missing'],
      [6, 9, 'pending'],
      [13, 19, 'pending'],
    ]);
  });

  it('counts what an earlier epoch announced and nobody has any more', async () => {
    const fleet = fleetOf(new RangeSet(), { first: 0, next: 2 });
    fleet.sequences.push({
      gateway,
      epoch: oldEpoch,
      stream: 'can0',
      held: new RangeSet([[0, 4]]),
      announcedNext: 8,
    });
    const report = await gapReport(indexOf([]), fleet, {});
    assert.deepEqual(
      report.rows.map((row) => [row.epoch, row.first, row.last, row.state]),
      [
        [oldEpoch, 5, 7, 'missing'],
        [epoch, 0, 1, 'pending'],
      ],
    );
    assert.equal(report.streams, 1);
  });

  it('knows of a stream that was announced and never came', async () => {
    const fleet = fleetOf(new RangeSet(), { first: 0, next: 5 });
    fleet.sequences = [];
    assert.deepEqual(states(await gapReport(indexOf([]), fleet, {})), [[0, 4, 'pending']]);
    assert.deepEqual(states(await gapReport(indexOf([]), fleet, { stream: 'other' })), []);
  });

  it('accounts for each sequence exactly once: held, explained, pending or missing', async () => {
    const ranges = fc.array(fc.tuple(fc.nat(60), fc.nat(6)), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(ranges, ranges, fc.nat(80), fc.nat(80), async (data, gaps, first, length) => {
        const held = new RangeSet();
        const explained: GapRecord[] = [];
        // As ingest has it: gap records are held, and nothing is held twice.
        for (const [from, more] of gaps) {
          if (held.intersects(from, from + more)) continue;
          held.add(from, from + more);
          explained.push(gap(from, from + more));
        }
        for (const [from, more] of data) held.add(from, from + more);
        const report = await gapReport(
          indexOf(explained),
          fleetOf(held, { first, next: first + length }),
          {},
        );
        const accounted = new RangeSet();
        for (const row of report.rows) {
          assert.equal(accounted.intersects(row.first, row.last), false);
          accounted.add(row.first, row.last);
          if (row.state === 'pending') assert.ok(row.first >= first);
          if (row.state === 'missing') assert.ok(row.last < first);
        }
        const end = Math.max((held.max ?? -1) + 1, first + length);
        const { explained: given, pending, missing } = report.batches;
        assert.equal(report.held + given + pending + missing, end);
        for (const [from, to] of held.holes(0, end - 1)) assert.ok(accounted.covers(from, to));
      }),
    );
  });

  it('tells what was taken out of thinned batches, a run of them in one row, and counts these as held', async () => {
    const thinned = (sequence: number, detail = 'one in 10'): GapRecord => {
      const [firstTimeUs, lastTimeUs] = [1000 * sequence, 1000 * sequence + 900];
      return { ...gap(sequence, sequence), cause: 'thinned', detail, records: 540, firstTimeUs, lastTimeUs };
    };
    const told = [gap(0, 3), thinned(4), thinned(5), thinned(6), thinned(7, 'one in 5'), thinned(9)];
    const report = await gapReport(indexOf(told), fleetOf(new RangeSet([[0, 19]])), {});
    assert.deepEqual(
      report.rows.map(({ first, last, state, record }) => [
        first,
        last,
        state,
        record?.cause,
        record?.records,
      ]),
      [
        [0, 3, 'explained', 'buffer-full', 1],
        [4, 6, 'explained', 'thinned', 3 * 540],
        [7, 7, 'explained', 'thinned', 540],
        [9, 9, 'explained', 'thinned', 540],
      ],
    );
    assert.deepEqual([report.rows[1].record?.firstTimeUs, report.rows[1].record?.lastTimeUs], [4000, 6900]);
    assert.deepEqual([report.held, report.thinned, report.batches.explained], [16, 5, 4]);
  });

  it('counts nothing as missing that the gateway is rescuing from a damaged buffer', async () => {
    const fleet = fleetOf(new RangeSet(), { first: 0, next: 0 });
    fleet.sequences = [
      { gateway, epoch: oldEpoch, stream: 'can0', held: new RangeSet([[0, 4]]), announcedNext: 10 },
    ];
    assert.deepEqual(states(await gapReport(indexOf([]), fleet, {})), [[5, 9, 'missing']]);
    const [presence] = fleet.gateways;
    assert.ok(presence.status);
    fleet.gateways = [{ ...presence, status: { ...presence.status, rescuing: [oldEpoch] } }];
    assert.deepEqual(states(await gapReport(indexOf([]), fleet, {})), [[5, 9, 'pending']]);
  });

  it('lists so many rows at most, and counts all of them', async () => {
    const held = new RangeSet();
    for (let i = 0; i < 10_500; i++) held.add(2 * i + 1);
    const report = await gapReport(indexOf([]), fleetOf(held), {});
    assert.equal(report.rows.length, 10_000);
    assert.equal(report.truncated, true);
    assert.equal(report.batches.missing, 10_500);
  });
});

describe('pending batches', () => {
  it('are those of the buffer that the log does not hold', async () => {
    const fleet = fleetOf(new RangeSet([[0, 10]]), { first: 8, next: 15 });
    assert.deepEqual(await pendingBatches(fleet, {}), new Map([[`${gateway}/can0`, 4]]));
    fleet.sequences[0].epoch = oldEpoch; // what is held of another life says nothing
    assert.deepEqual(await pendingBatches(fleet, {}), new Map([[`${gateway}/can0`, 7]]));
  });
});

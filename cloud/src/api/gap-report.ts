import type { GapRecord, Index, StreamFilter } from '../index/index.js';
import type { Fleet } from '../ingest/fleet.js';
import { bufferedStreams, heldSequences, streamName } from './buffered.js';

/**
 * Why a range of sequences isn't in the log:
 *
 * - explained: a gap record tells the cause; or the log holds it, and its header tells what was taken out (`thinned`)
 * - pending: the gateway has it in its buffer, by its last status, or is rescuing it from a damaged one
 * - trimmed: it was there, and was let go by a rule of retention
 * - missing: nobody knows
 */
type GapState = 'explained' | 'pending' | 'trimmed' | 'missing';

export interface GapRow {
  gateway: string;
  stream: string;
  epoch: string;
  /** Sequences, both inclusive. */
  first: number;
  last: number;
  state: GapState;
  /** Of explained gaps. */
  record?: GapRecord;
  /** Of missing ones that begin where a restored backup ended: its time, µs. */
  backupUs?: number;
}

export interface GapReport {
  rows: GapRow[];
  /** True where there were more rows than are listed; the sums count all. */
  truncated: boolean;
  streams: number;
  /** Batches of data in the log. */
  held: number;
  /** Batches by state, without thinned ones, which are held. */
  batches: Record<GapState, number>;
  /** Of the batches held, those from which records were taken out. */
  thinned: number;
}

/**
 * Accounts for every sequence from 0 to the highest that is known of each gateway, stream and epoch: held ones, those
 * that a gap record stands for, and the rest.
 */
export async function gapReport(
  index: Pick<Index, 'gaps'>,
  fleet: Fleet,
  filter: StreamFilter,
): Promise<GapReport> {
  const report = new ReportBuilder();
  // Statuses first: what a gateway forgot before its status was held by then, so it is in what is read after it.
  const buffered = bufferedStreams(fleet, filter);
  const silent = new Map(buffered);
  const rescuing = new Map(fleet.presence().map(({ gateway, status }) => [gateway, status?.rescuing]));

  for await (const sequences of heldSequences(fleet, filter)) {
    const { gateway, stream, epoch, held, trimmed, restored, announcedNext = 0 } = sequences;
    const name = streamName(sequences);
    const current = buffered.get(name)?.epoch === epoch ? buffered.get(name) : undefined;
    if (current) silent.delete(name);
    report.addHeld(name, held.size);
    for (const [first, last] of trimmed ?? []) report.addTrimmed({ gateway, stream, epoch, first, last });
    const end = Math.max((held.max ?? -1) + 1, announcedNext, current?.next ?? 0);
    for (const [first, last] of held.holes(0, end - 1)) {
      const isInRescue = rescuing.get(gateway)?.includes(epoch) ?? false;
      const backupUs = restored?.findLast(({ next }) => first <= next && next <= last)?.backupUs;
      const hole = { gateway, stream, epoch, first, last };
      report.addHole(hole, isInRescue ? 0 : current?.first, backupUs);
    }
  }
  for (const [name, { gateway, stream, epoch, first, next }] of silent) {
    report.addHeld(name, 0);
    if (next > 0) report.addHole({ gateway, stream, epoch, first: 0, last: next - 1 }, first);
  }
  for await (const gap of index.gaps(filter)) report.addExplained(gap);
  return report.build();
}

const rowsMax = 10_000;

class ReportBuilder {
  private readonly rows: GapRow[] = [];
  private truncated = false;
  private held = 0;
  private thinned = 0;
  private readonly streams = new Set<string>();
  private readonly batches: Record<GapState, number> = {
    explained: 0,
    pending: 0,
    trimmed: 0,
    missing: 0,
  };

  addHeld(name: string, batches: number): void {
    this.streams.add(name);
    this.held += batches;
  }

  /** `buffered` is the first sequence that the gateway may have; undefined where it has nothing of this epoch. */
  addHole(hole: Omit<GapRow, 'state'>, buffered = Infinity, backupUs?: number): void {
    if (hole.first < buffered) {
      const last = Math.min(hole.last, buffered - 1);
      this.add({ ...hole, last, state: 'missing', ...(backupUs !== undefined && { backupUs }) });
    }
    if (hole.last >= buffered) this.add({ ...hole, first: Math.max(hole.first, buffered), state: 'pending' });
  }

  addTrimmed(range: Omit<GapRow, 'state'>): void {
    this.add({ ...range, state: 'trimmed' });
    this.held -= range.last - range.first + 1;
  }

  addExplained(record: GapRecord): void {
    const { gateway, stream, epoch, first, last } = record;
    const row: GapRow = { gateway, stream, epoch, first, last, state: 'explained', record };
    if (record.cause === 'thinned') {
      this.thinned++;
      if (!continues(this.rows.at(-1), row)) this.list(row);
      return;
    }
    this.add(row);
    this.held -= last - first + 1; // held as a record, not as data
  }

  build(): GapReport {
    const { rows, truncated, held, batches, thinned } = this;
    rows.sort(
      (a, b) =>
        compare(a.gateway, b.gateway) ||
        compare(a.stream, b.stream) ||
        compare(a.epoch, b.epoch) ||
        a.first - b.first,
    );
    return { rows, truncated, streams: this.streams.size, held, batches, thinned };
  }

  private add(row: GapRow): void {
    this.batches[row.state] += row.last - row.first + 1;
    this.list(row);
  }

  private list(row: GapRow): void {
    if (this.rows.length < rowsMax) this.rows.push(row);
    else this.truncated = true;
  }
}

/** A full buffer thins batch after batch: one row tells of a run of them. True where `run` took `row` in. */
function continues(
  run: GapRow | undefined,
  { stream, epoch, gateway, first, last, record }: GapRow,
): boolean {
  const told = run?.record;
  if (!run || !told || !record || told.detail !== record.detail || told.cause !== record.cause) return false;
  if (run.gateway !== gateway || run.stream !== stream || run.epoch !== epoch || run.last + 1 !== first)
    return false;
  run.last = last;
  run.record = {
    ...told,
    last,
    records: told.records + record.records,
    firstTimeUs: Math.min(told.firstTimeUs, record.firstTimeUs),
    lastTimeUs: Math.max(told.lastTimeUs, record.lastTimeUs),
  };
  return true;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

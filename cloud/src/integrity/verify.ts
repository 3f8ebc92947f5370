import { decodeBatch } from '@fleetlog/shared/batch';
import { isDataError } from '@fleetlog/shared/errors';
import { RangeSet } from '@fleetlog/shared/util';
import type { Index } from '../index/index.js';
import type { Fleet } from '../ingest/fleet.js';
import type { Log, PartitionEnds } from '../log/log.js';
import { withoutSkipped } from '../log/restored.js';
import type { Retention } from '../retention/retention.js';
import { addPlace, emptySum, LogAccount } from './account.js';

const problemKinds = ['unreadable', 'checksum', 'index', 'ranges'] as const;

/** What doesn't fit. `unreadable` and `checksum` have offsets; the index says of whom they were, where it knows. */
interface Problem {
  kind: (typeof problemKinds)[number];
  detail: string;
  partition?: number;
  first?: number;
  last?: number;
  gateway?: string;
  stream?: string;
}

export type VerifyEvent =
  | { event: 'progress'; checked: number; batches: number }
  | ({ event: 'problem' } & Problem)
  | { event: 'result'; batches: number; bytes: number; streams: number; problems: number };

const progressBatches = 5000;
const timeBoundUs = 2 ** 52;

/**
 * Reads all of the log as it is now, and checks each batch, the index against the log, and the held sequences (what
 * gateways were told is safe) against both. Costs reading and no memory to speak of; ingest and readers go on, and
 * retention has to wait, so that what is counted stays.
 */
export async function* verify(
  parts: { log: Log; index: Index; fleet: Fleet; retention: Pick<Retention, 'pause'> },
  signal: AbortSignal,
): AsyncGenerator<VerifyEvent> {
  using _pause = await parts.retention.pause();
  const check = new Verification(parts.log, parts.index, parts.fleet);
  let problems = 0;
  for await (const event of check.run(signal)) {
    if (event.event === 'problem') problems++;
    yield event;
  }
  const { batches, bytes, sums } = check.found;
  yield { event: 'result', batches, bytes, streams: sums.size, problems };
}

class Verification {
  readonly found = new LogAccount();
  private readonly unreadable = new Map<number, RangeSet>();

  constructor(
    private readonly log: Log,
    private readonly index: Index,
    private readonly fleet: Fleet,
  ) {}

  async *run(signal: AbortSignal): AsyncGenerator<VerifyEvent> {
    // Everything that is held now is in the log up to the ends that are taken next.
    const held = new Map<string, RangeSet>();
    for await (const { gateway, epoch, stream, held: ranges, trimmed } of this.fleet.held()) {
      const expected = RangeSet.fromFlat(ranges.toFlat());
      for (const [first, last] of trimmed ?? []) expected.remove(first, last);
      held.set(`${gateway}/${epoch}/${stream}`, expected);
    }
    const ends = this.log.ends();
    for (const end of ends) yield* this.scan(end, ends, signal);
    await this.index.caughtUp(signal);
    yield* this.checkIndex(ends, signal);
    yield* this.checkRanges(held);
  }

  private async *scan(
    { partition, first, next }: PartitionEnds,
    ends: readonly PartitionEnds[],
    signal: AbortSignal,
  ): AsyncGenerator<VerifyEvent> {
    const batches = ends.reduce((sum, end) => sum + withoutSkipped(end.next - end.first), 0);
    let expected = first;
    for await (const { offset, bytes } of this.log.read(partition, first)) {
      signal.throwIfAborted();
      if (offset >= next) break;
      if (offset > expected) yield* this.lost(partition, expected, offset - 1);
      expected = offset + 1;
      try {
        this.found.add(partition, offset, decodeBatch(bytes).header, bytes.length);
      } catch (error) {
        if (!isDataError(error)) throw error;
        this.mark(partition, offset, offset);
        const place = { partition, first: offset, last: offset };
        yield { event: 'problem', kind: 'checksum', detail: `${error.code}: ${error.message}`, ...place };
      }
      if (this.found.batches % progressBatches === 0) {
        yield { event: 'progress', checked: this.found.batches, batches };
      }
    }
    if (expected < next) yield* this.lost(partition, expected, next - 1);
  }

  /** Offsets that the log didn't give, unless they were trimmed meanwhile or never had an entry. */
  private async *lost(partition: number, first: number, last: number): AsyncGenerator<VerifyEvent> {
    if (!this.log.isDense) return;
    const lost = new RangeSet([[first, last]]);
    lost.remove(0, this.log.ends()[partition].first - 1);
    for await (const [from, to] of this.log.removal?.removed(partition, first, last) ?? [])
      lost.remove(from, to);
    for (const [from, to] of lost) {
      this.mark(partition, from, to);
      const detail = 'The disk gives them back damaged, or not at all.';
      yield { event: 'problem', kind: 'unreadable', detail, partition, first: from, last: to };
    }
  }

  private mark(partition: number, first: number, last: number): void {
    const marked = this.unreadable.get(partition) ?? new RangeSet();
    marked.add(first, last);
    this.unreadable.set(partition, marked);
  }

  private async *checkIndex(
    ends: readonly PartitionEnds[],
    signal: AbortSignal,
  ): AsyncGenerator<VerifyEvent> {
    const unseen = new Set(this.found.sums.keys());
    const range = { fromUs: -timeBoundUs, toUs: timeBoundUs, times: 'original' } as const;
    for await (const { gateway, stream } of this.index.streams()) {
      const name = `${gateway}/${stream}`;
      unseen.delete(name);
      const sum = emptySum();
      for await (const facts of this.index.batches({ gateway, stream, ...range })) {
        signal.throwIfAborted();
        const { partition, offset, sequence } = facts;
        if (offset >= ends[partition].next) continue;
        if (this.unreadable.get(partition)?.has(offset)) {
          const detail = `Sequence ${sequence} of epoch ${facts.epoch}, ${facts.records} records.`;
          const place = { partition, first: offset, last: offset };
          yield { event: 'problem', kind: 'unreadable', detail, ...place, gateway, stream };
        } else addPlace(sum, partition, offset, sequence);
      }
      const expected = this.found.sums.get(name) ?? emptySum();
      if (sum.batches === expected.batches && sum.hash === expected.hash) continue;
      yield indexProblem(gateway, stream, sum.batches, expected.batches);
    }
    for (const name of unseen) {
      const [gateway, stream] = name.split('/');
      yield indexProblem(gateway, stream, 0, this.found.sums.get(name)?.batches ?? 0);
    }
  }

  /** What is held and not in the log: unless it is unreadable and has been told already. */
  private *checkRanges(held: ReadonlyMap<string, RangeSet>): Generator<VerifyEvent> {
    for (const [life, ranges] of held) {
      const [gateway, epoch, stream] = life.split('/');
      const partition = this.log.partitionOf(gateway);
      const logged = this.found.sequences.get(life);
      for (const [first, last] of logged ?? []) ranges.remove(first, last);
      const missing = ranges.firstRange;
      if (!missing || this.unreadable.has(partition)) continue;
      const detail =
        `Gateways were told that sequences ${missing[0]} to ${missing[1]} of epoch ${epoch} are safe ` +
        `(${ranges.size} in all), and the log doesn't hold them.`;
      yield { event: 'problem', kind: 'ranges', detail, partition, gateway, stream };
    }
  }
}

const indexProblem = (gateway: string, stream: string, indexed: number, logged: number): VerifyEvent => ({
  event: 'problem',
  kind: 'index',
  detail:
    `The index names ${indexed} batches and the log holds ${logged}, or others; ` +
    'start the cloud with --rebuild-index.',
  gateway,
  stream,
});

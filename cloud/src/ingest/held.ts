import type { BatchIdentity } from '@fleetlog/shared/batch';
import { RangeSet } from '@fleetlog/shared/util';
import type { Log, LogNote } from '../log/log.js';
import { allRestored } from '../log/restored.js';
import { allTrimmed } from '../retention/trimmed.js';
import type { HeldSequences } from './fleet.js';

/*
 * note "held/{gateway}/{epoch}/{stream}" = JSON of the flat ranges
 * note "announced/{gateway}/{epoch}/{stream}" = JSON of the sequence that the gateway would give next
 */
export const heldPrefix = 'held/';
const announcedPrefix = 'announced/';

type StreamIdentity = Omit<BatchIdentity, 'sequence'>;

const nameOf = ({ gateway, epoch, stream }: StreamIdentity): string => `${gateway}/${epoch}/${stream}`;

export const heldKey = (identity: StreamIdentity): string => `${heldPrefix}${nameOf(identity)}`;

export interface HeldLimits {
  /** Holes that one stream may have: a batch that would make another one is put off until others are filled. */
  rangesPerStreamMax: number;
  /** Range sets kept in memory; the others are read from the log when they are needed. */
  streamsMax: number;
  /** Ranges kept in memory, over all sets. */
  rangesMax: number;
}

export const heldLimits: HeldLimits = { rangesPerStreamMax: 4096, streamsMax: 65_536, rangesMax: 1 << 18 };

/** Which sequences the log holds, for the streams that are in use; the notes of the log are the whole. */
export class HeldCache {
  /** In the order of their last use. */
  private readonly sets = new Map<string, RangeSet>();
  /** Of each set that is kept, as it was counted; sets change while they are kept. */
  private readonly counted = new Map<string, number>();
  private ranges = 0;

  constructor(
    private readonly log: Pick<Log, 'note'>,
    private readonly limits: HeldLimits,
  ) {}

  /** The sets of these streams, read from the log where they aren't in memory. Nothing is evicted in here. */
  async load(keys: Iterable<string>): Promise<Map<string, RangeSet>> {
    const loaded = new Map<string, RangeSet>();
    await Promise.all(
      Array.from(keys, async (key) => {
        const set = this.sets.get(key) ?? readHeld(await this.log.note(key));
        loaded.set(key, set);
      }),
    );
    return loaded;
  }

  /** Keeps sets that are durable now, and lets those go that weren't used for longest. */
  keep(sets: ReadonlyMap<string, RangeSet>): void {
    for (const [key, set] of sets) {
      this.forget(key);
      this.sets.set(key, set);
      this.counted.set(key, set.rangeCount);
      this.ranges += set.rangeCount;
    }
    for (const key of this.sets.keys()) {
      if (this.sets.size <= this.limits.streamsMax && this.ranges <= this.limits.rangesMax) break;
      this.forget(key);
    }
  }

  private forget(key: string): void {
    this.sets.delete(key);
    this.ranges -= this.counted.get(key) ?? 0;
    this.counted.delete(key);
  }
}

export const heldNote = (key: string, held: RangeSet): LogNote => ({
  key,
  value: Buffer.from(JSON.stringify(held.toFlat())),
});

export const announcedKey = (identity: StreamIdentity): string => `${announcedPrefix}${nameOf(identity)}`;

export const announcedNote = (identity: StreamIdentity, next: number): LogNote => ({
  key: announcedKey(identity),
  value: Buffer.from(JSON.stringify(next)),
});

function readHeld(value: Uint8Array | undefined): RangeSet {
  return value ? RangeSet.fromFlat(JSON.parse(Buffer.from(value).toString()) as number[]) : new RangeSet();
}

/** All that the log holds, and what gateways announced and it doesn't hold, from its notes. */
export async function* heldSequences(
  log: Pick<Log, 'notes'>,
  filter: { gateway?: string; stream?: string } = {},
): AsyncIterable<HeldSequences> {
  const below = filter.gateway === undefined ? '' : `${filter.gateway}/`;
  const announced = new Map<string, number>();
  for await (const { key, value } of log.notes(`${announcedPrefix}${below}`)) {
    announced.set(key.slice(announcedPrefix.length), JSON.parse(Buffer.from(value).toString()) as number);
  }
  const trimmed = await allTrimmed(log, below);
  const restored = await allRestored(log, below);
  const takes = (name: string): boolean => filter.stream === undefined || name.endsWith(`/${filter.stream}`);
  for await (const { key, value } of log.notes(`${heldPrefix}${below}`)) {
    const name = key.slice(heldPrefix.length);
    const announcedNext = announced.get(name);
    announced.delete(name);
    if (!takes(name)) continue;
    yield {
      ...identityOf(name),
      held: readHeld(value),
      trimmed: trimmed.get(name),
      restored: restored.get(name),
      announcedNext,
    };
  }
  for (const [name, announcedNext] of announced) {
    if (takes(name) && announcedNext > 0) yield { ...identityOf(name), held: new RangeSet(), announcedNext };
  }
}

function identityOf(name: string): StreamIdentity {
  const [gateway, epoch, stream] = name.split('/');
  return { gateway, epoch, stream };
}

import { RangeSet } from '@fleetlog/shared/util';
import { storePages, type OrderedStore, type StoreOperation } from '@fleetlog/shared/store';
import * as keys from './keys.js';
import type { Log } from './log.js';
import { loadPartition, partitionCountOf } from './open.js';
import { removalOf } from './removal.js';

/*
 * note "restored/{gateway}/{epoch}/{stream}" = JSON of [sequence behind the last that was held, time of the backup µs]
 * of each restored backup
 */
const prefix = 'restored/';

/** A backup that the log was restored from, as one life of a stream sees it. */
export interface RestoredFrom {
  /** Behind the last sequence that the backup held. */
  next: number;
  backupUs: number;
}

/**
 * Offsets that a restored log leaves out in each partition: what it gave to batches behind the backup isn't given to
 * others, as long as they were fewer (12 days of 1,000 batches/s in each).
 */
export const offsetsSkipped = 2 ** 30;
const pageEntries = 1024;

/** A distance of offsets without what restoring has left out of it. */
export const withoutSkipped = (offsets: number): number => offsets % offsetsSkipped;

/**
 * Makes the store of a log that was copied from a backup one that goes on: its offsets behind what was given since, and
 * with a note for each stream of how far the backup was, so that what is missing has an explanation. Durable.
 */
export async function continueRestored(
  store: OrderedStore,
  backupUs: number,
  heldPrefix: string,
): Promise<void> {
  const count = await partitionCountOf(store, undefined);
  const operations: StoreOperation[] = [];
  for (let partition = 0; partition < count; partition++) {
    const found = await loadPartition(store, partition);
    const next = found.next + offsetsSkipped;
    const skipped = { ...found, next, durableNext: next };
    const removal = await removalOf(store, partition, skipped, [[found.next, next - 1]]);
    operations.push(...removal.operations);
  }
  const held = keys.noteRange(heldPrefix);
  for await (const page of storePages(store, held, { limit: pageEntries })) {
    for (const { key, value } of page) {
      const life = keys.noteName(key).slice(heldPrefix.length);
      const ranges = RangeSet.fromFlat(JSON.parse(Buffer.from(value).toString()) as number[]);
      const noteKey = keys.noteKey(`${prefix}${life}`);
      const backups = readBackups(await store.get(noteKey));
      backups.push([(ranges.max ?? -1) + 1, backupUs]);
      operations.push({ type: 'put', key: noteKey, value: Buffer.from(JSON.stringify(backups)) });
    }
  }
  await store.write(operations);
  await store.sync();
}

/** By gateway/epoch/stream, of gateways whose name begins with `below`: the backups that it was restored from. */
export async function allRestored(log: Pick<Log, 'notes'>, below = ''): Promise<Map<string, RestoredFrom[]>> {
  const all = new Map<string, RestoredFrom[]>();
  for await (const { key, value } of log.notes(`${prefix}${below}`)) {
    const backups = readBackups(value).map(([next, backupUs]) => ({ next, backupUs }));
    all.set(key.slice(prefix.length), backups);
  }
  return all;
}

const readBackups = (value: Uint8Array | undefined): [next: number, backupUs: number][] =>
  value ? (JSON.parse(Buffer.from(value).toString()) as [number, number][]) : [];

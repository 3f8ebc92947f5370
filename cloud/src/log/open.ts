import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { OrderedStore } from '@fleetlog/shared/store';
import * as keys from './keys.js';

/** Ends of a partition as the log keeps them in memory. */
export interface Partition {
  /** First offset that is kept. */
  first: number;
  /** Offset that the next entry gets; `durableNext` follows it when the barrier is done. */
  next: number;
  durableNext: number;
  lastReceiveTimeUs: number;
}

const formatVersion = 1;
const partitionsDefault = 8;

/**
 * The number of partitions is fixed when the log is made, since a gateway's place depends on it.
 * Errors: FLEETLOG_CONFIG where another number is asked for, or where a newer version made the log.
 */
export async function partitionCountOf(store: OrderedStore, asked: number | undefined): Promise<number> {
  const stored = await store.get(keys.metaKey);
  if (!stored) {
    const meta = { version: formatVersion, partitions: asked ?? partitionsDefault };
    await store.write([{ type: 'put', key: keys.metaKey, value: Buffer.from(JSON.stringify(meta)) }]);
    await store.sync();
    return meta.partitions;
  }
  const meta = JSON.parse(Buffer.from(stored).toString()) as { version: number; partitions: number };
  if (meta.version !== formatVersion) {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `The log has version ${meta.version} of its layout, and this software reads ${formatVersion}; use the software that made it.`,
    );
  }
  if (asked !== undefined && asked !== meta.partitions) {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `The log was made with ${meta.partitions} partitions, which is fixed; set "log.partitions" to ${meta.partitions} or leave it out.`,
    );
  }
  return meta.partitions;
}

/** Finds a partition's ends by one seek to its last entry, however many there are. */
export async function loadPartition(store: OrderedStore, partition: number): Promise<Partition> {
  const stored = await store.get(keys.trimKey(partition));
  // After a trim of everything no entry says which offsets were given.
  const ends = stored ? keys.readTrim(stored) : { first: 0, next: 0, lastReceiveTimeUs: 0 };
  const range = keys.entryRange(partition, ends.first, Number.MAX_SAFE_INTEGER);
  for await (const { key, value } of store.entries(range, { reverse: true, limit: 1 })) {
    ends.next = Math.max(ends.next, keys.offsetOf(key) + 1); // the last ones may be trimmed
    ends.lastReceiveTimeUs = Math.max(ends.lastReceiveTimeUs, keys.receiveTimeOf(value));
  }
  return { ...ends, durableNext: ends.next };
}

/**
 * A partition that ends before `marked` has lost what was acknowledged: its write-ahead log was cut, or is gone. Their
 * offsets aren't given again, and "fleetlog verify" names them.
 */
export async function goBehindLost(
  store: OrderedStore,
  partitions: readonly Partition[],
  marked: readonly number[],
  logger: Logger,
): Promise<void> {
  for (const [partition, state] of partitions.entries()) {
    const next = marked[partition] ?? 0;
    if (next <= state.next) continue;
    logger.error(
      { code: 'FLEETLOG_STORE_BROKEN', partition, first: state.next, last: next - 1 },
      'The log has lost batches at its end that it had acknowledged; gateways that still have them send them again.',
    );
    Object.assign(state, { next, durableNext: next });
    const value = keys.trimValue(state);
    await store.write([{ type: 'put', key: keys.trimKey(partition), value }]);
  }
}

import { FleetlogError } from '@fleetlog/shared/errors';
import type { Log } from '../log/log.js';
import type { Positions } from './types.js';

const offsetList = /^\d{1,4}:\d{1,16}(,\d{1,4}:\d{1,16})*$/;

/**
 * Where `earliest`, `latest`, a time (of receipt) or `PARTITION:OFFSET[,…]` is in each partition; of partitions that
 * such a list doesn't name it is the beginning. Errors: FLEETLOG_USAGE.
 */
export async function startAt(
  log: Log,
  where: string,
  parseTime: (text: string) => number,
): Promise<Positions> {
  const ends = log.ends();
  if (where === 'earliest') return new Map(ends.map(({ partition, first }) => [partition, first]));
  if (where === 'latest') return new Map(ends.map(({ partition, next }) => [partition, next]));
  const positions = new Map<number, number>();
  if (!offsetList.test(where)) {
    const timeUs = parseTime(where);
    for (const { partition } of ends) positions.set(partition, await log.offsetAt(partition, timeUs));
    return positions;
  }
  for (const { partition, first } of ends) positions.set(partition, first);
  for (const item of where.split(',')) {
    const [partition, offset] = item.split(':').map(Number);
    const end = ends.find((one) => one.partition === partition);
    if (!end) {
      throw new FleetlogError(
        'FLEETLOG_USAGE',
        `The log has no partition ${partition}; they are 0 to ${ends.length - 1}.`,
      );
    }
    if (offset > end.next) {
      throw new FleetlogError(
        'FLEETLOG_USAGE',
        `Partition ${partition} ends at offset ${end.next}, before ${offset}; choose one up to ${end.next}.`,
      );
    }
    positions.set(partition, Math.max(offset, end.first));
  }
  return positions;
}

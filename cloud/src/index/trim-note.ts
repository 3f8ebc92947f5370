import type { Log, LogNote } from '../log/log.js';
import type { IndexTrim } from './types.js';

/*
 * note "trim/{partition}" = JSON of the last `IndexTrim`
 *
 * Written together with the trim itself. The index is durable behind each before the next one is written, so after a
 * crash it has followed all of them but the last, perhaps.
 */
const keyOf = (partition: number): string => `trim/${partition}`;

export const trimNote = (partition: number, trim: IndexTrim): LogNote => ({
  key: keyOf(partition),
  value: Buffer.from(JSON.stringify(trim)),
});

/** Undefined where nothing was trimmed yet. */
export async function loadTrim(log: Log, partition: number): Promise<IndexTrim | undefined> {
  const value = await log.note(keyOf(partition));
  return value && (JSON.parse(Buffer.from(value).toString()) as IndexTrim);
}

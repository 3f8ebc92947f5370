import { RangeSet } from '@fleetlog/shared/util';
import type { Log, LogNote } from '../log/log.js';

/*
 * note "trimmed/{gateway}/{epoch}/{stream}" = JSON of the flat ranges of sequences that were in the log once
 *
 * They count as held for ever: a gateway that sends one again is told that it is safe, and it isn't taken again.
 */
const prefix = 'trimmed/';

const keyOf = (life: string): string => `${prefix}${life}`;

/** `life`: gateway/epoch/stream. */
export async function trimmedSequences(log: Log, life: string): Promise<RangeSet> {
  return read(await log.note(keyOf(life)));
}

export const trimmedNote = (life: string, sequences: RangeSet): LogNote => ({
  key: keyOf(life),
  value: Buffer.from(JSON.stringify(sequences.toFlat())),
});

/** By gateway/epoch/stream, of gateways whose name begins with `below`. */
export async function allTrimmed(log: Pick<Log, 'notes'>, below = ''): Promise<Map<string, RangeSet>> {
  const all = new Map<string, RangeSet>();
  for await (const { key, value } of log.notes(keyOf(below))) all.set(key.slice(prefix.length), read(value));
  return all;
}

const read = (value: Uint8Array | undefined): RangeSet =>
  value ? RangeSet.fromFlat(JSON.parse(Buffer.from(value).toString()) as number[]) : new RangeSet();

import { decodeBatch } from '@fleetlog/shared/batch';
import { decodeEntry } from '../entry.js';
import type { StreamState } from '../stream-state.js';
import { dataFiles, valuesOf, type FileDamage } from './files.js';
import { isRescuedName } from './rescued-names.js';
import { streamMark, type Mark } from './mark.js';
import type { KeyValue } from './sealed-value.js';
import { batchOfKey, epochOfValue, stateOfValue } from './wal-put-back.js';
import type { WalWitness } from './wal-witness.js';

/**
 * How far a damaged buffer was, by its mark and by what its logs say; where there is no mark, by all of its files.
 * `mark` is undefined where nothing says so.
 */
export async function knownOf(
  folder: string,
  gateway: string,
  found: Mark | undefined,
  witness: WalWitness,
): Promise<{ mark: Mark | undefined; damage: FileDamage }> {
  const damage: FileDamage = { isDamaged: false };
  const gathered = new Gathered();
  for (const value of [...witness.before, ...witness.behind]) gathered.take(value);
  const isOfThis = found?.gateway === gateway && (gathered.epoch ?? found.epoch) === found.epoch;
  if (!isOfThis) {
    for (const file of await dataFiles(folder)) {
      for await (const value of valuesOf(file, damage)) gathered.take(value);
    }
  }
  const epoch = isOfThis ? found.epoch : gathered.epoch;
  if (epoch === undefined) return { mark: undefined, damage };
  const streams = isOfThis ? { ...found.streams } : {};
  for (const state of gathered.states.values()) {
    if (state.next <= (streams[state.stream]?.next ?? 0)) continue;
    const lastTimeUs = streams[state.stream]?.lastTimeUs;
    const { kind, next: durableNext, put, done, position } = state;
    streams[state.stream] = streamMark({ kind, durableNext, ...put, lastTimeUs, done, position });
  }
  return { mark: { gateway, epoch, boot: isOfThis ? found.boot : '', streams }, damage };
}

class Gathered {
  epoch: string | undefined;
  readonly states = new Map<string, StreamState>();

  take(found: KeyValue): void {
    this.epoch ??= epochOfValue(found) ?? epochOfBatch(found);
    const state = stateOfValue(found);
    if (state && state.next > (this.states.get(state.stream)?.next ?? 0))
      this.states.set(state.stream, state);
  }
}

function epochOfBatch({ key, value }: KeyValue): string | undefined {
  const batch = batchOfKey(key);
  if (!batch || isRescuedName(batch.stream)) return undefined;
  try {
    return decodeBatch(decodeEntry(value).batch).header.epoch;
  } catch {
    return undefined;
  }
}

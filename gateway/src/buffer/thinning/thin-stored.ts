import { isDataError } from '@fleetlog/shared/errors';
import { decodeEntry, encodeEntry } from '../entry.js';
import { thinBatch, type ThinBatch } from './thin-batch.js';
import type { ThinnedPart } from './thinned-part.js';

/** Batches thinned at one time: a few milliseconds' work, on a Raspberry Pi some tens. */
export const thinStepBatches = 4;

/**
 * The stored value that takes the place of `value`, at `sequence` behind all that `part` has passed. It has running
 * totals of what was taken out also where that was nothing, so that those of any range remain a difference of two.
 */
export function thinStored(
  part: ThinnedPart,
  sequence: number,
  value: Uint8Array,
  keepEachNth: number,
): Uint8Array {
  const { taken: passed, ...entry } = decodeEntry(value);
  const thin = thinOrLeave(entry.batch, keepEachNth);
  const putBytes = entry.batch.length + (passed?.bytes ?? 0);
  const batch = thin?.bytes ?? entry.batch;
  const { bytes: bytesBefore, records: recordsBefore } = part.taken;
  const taken = {
    bytes: putBytes - batch.length,
    records: (passed?.records ?? 0) + (thin?.thinned.records ?? 0),
  };
  part.pass(sequence, entry.bytesBefore, putBytes, taken);
  return encodeEntry({ ...entry, batch, taken: { bytesBefore, recordsBefore, ...taken } });
}

/** What doesn't decode is left as it is: the cloud tells what is wrong with it. */
function thinOrLeave(batch: Uint8Array, keepEachNth: number): ThinBatch | undefined {
  try {
    return thinBatch(batch, keepEachNth);
  } catch (error) {
    if (!isDataError(error)) throw error;
    return undefined;
  }
}

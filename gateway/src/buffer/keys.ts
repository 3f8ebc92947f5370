import { integerPart, joinKey, prefixRange, textPart } from '@fleetlog/shared/store';

/*
 * The buffer's key space. Batches are ordered by stream and sequence, so that appends are sequential and what is
 * acknowledged is one range.
 *
 *   l                     this folder's life: epoch and gateway
 *   m stream              what is known of a stream (`StreamState`)
 *   g stream              its gap records that wait (`GapSpans`)
 *   b stream sequence     a batch, or a gap record at its first sequence, see `entry.ts`
 *   r stream sequence     a batch that the cloud refused, with the reason
 */
const life = 'l';
const meta = textPart('m');
const gaps = textPart('g');
const batch = textPart('b');
const refused = textPart('r');

export const keys = {
  life: () => textPart(life),
  meta: (stream: string) => joinKey(meta, textPart(stream)),
  allMeta: () => prefixRange(meta),
  gaps: (stream: string) => joinKey(gaps, textPart(stream)),
  batch: (stream: string, sequence: number) => joinKey(batch, textPart(stream), integerPart(sequence)),
  allRefused: () => prefixRange(refused),
  streamOfRefused: (key: Uint8Array) => Buffer.from(key).toString('latin1', refused.length, key.length - 9),
  refused: (stream: string, sequence: number) => joinKey(refused, textPart(stream), integerPart(sequence)),
};

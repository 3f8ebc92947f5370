import type { SealedBatch } from '#gateway/sources/source.js';

/** A batch as a source would hand it over, with a payload that nobody decodes: `tag` repeated. */
export function sealedBatch(
  tag: string,
  facts: {
    records?: number;
    bytes?: number;
    position?: string;
    timeUs?: number;
    kind?: 'lines' | 'can';
  } = {},
): SealedBatch {
  const { records = 10, bytes = 100, position, timeUs = 1_700_000_000_000_000, kind = 'lines' } = facts;
  return {
    payload: {
      kind,
      codec: `${kind}-1`,
      payload: Buffer.alloc(bytes, `${tag};`),
      rawBytes: bytes,
      recordCount: records,
      firstTimeUs: timeUs,
      lastTimeUs: timeUs + 1000,
    },
    origin: 'recording',
    ...(position !== undefined && { position: Buffer.from(position) }),
  };
}

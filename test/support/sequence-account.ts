import assert from 'node:assert/strict';
import { decodeBatch, decodeGap, type GapDetails } from '@fleetlog/shared/batch';
import type { GatewayBuffer } from '#gateway/buffer/buffer.js';

export interface GapFound extends GapDetails {
  first: number;
  last: number;
  records: number;
}

/** Everything that the buffer would send of a stream, read as the uplink does; fails at a hole or an overlap. */
export async function accountOf(
  buffer: GatewayBuffer,
  stream: string,
  from = 0,
): Promise<{ batches: number; records: number; gaps: GapFound[]; next: number }> {
  const account = { batches: 0, records: 0, gaps: [] as GapFound[], next: from };
  for (;;) {
    const read = await buffer.read(stream, account.next, 64);
    if (read.length === 0) return account;
    for (const { sequence, lastSequence, bytes } of read) {
      const batch = decodeBatch(bytes);
      assert.equal(sequence, account.next, `${stream}: a hole or an overlap`);
      assert.equal(batch.header.sequence, sequence);
      assert.equal(batch.header.lastSequence, lastSequence);
      account.next = lastSequence + 1;
      if (batch.header.codec === 'gap-1') {
        const records = batch.header.recordCount;
        account.gaps.push({ first: sequence, last: lastSequence, records, ...decodeGap(batch) });
      } else {
        account.batches++;
        account.records += batch.header.recordCount;
      }
    }
  }
}

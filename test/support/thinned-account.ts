import assert from 'node:assert/strict';
import { decodeBatch, decodeGap } from '@fleetlog/shared/batch';
import type { GatewayBuffer } from '#gateway/buffer/buffer.js';

/** What a buffer would send of a stream whose batches were all put with as many records. */
export interface ThinnedAccount {
  whole: number;
  thinned: number;
  /** Of the batches held: records and bytes of these, and records that their headers say were taken out. */
  records: number;
  bytes: number;
  takenRecords: number;
  /** In gap records. */
  explained: { batches: number; records: number };
  next: number;
}

/** Fails at a hole, an overlap, or a batch whose records and what was taken out of it aren't what was put. */
export async function thinnedAccountOf(
  buffer: GatewayBuffer,
  stream: string,
  recordsPerBatch: number,
  from = 0,
): Promise<ThinnedAccount> {
  const account: ThinnedAccount = {
    whole: 0,
    thinned: 0,
    records: 0,
    bytes: 0,
    takenRecords: 0,
    explained: { batches: 0, records: 0 },
    next: from,
  };
  for (;;) {
    const read = await buffer.read(stream, account.next, 64);
    if (read.length === 0) return account;
    for (const { sequence, lastSequence, bytes } of read) {
      const batch = decodeBatch(bytes);
      const { header } = batch;
      assert.equal(sequence, account.next, `${stream}: a hole or an overlap`);
      assert.equal(header.sequence, sequence);
      account.next = lastSequence + 1;
      if (header.codec === 'gap-1') {
        assert.equal(decodeGap(batch).cause, 'buffer-full');
        account.explained.batches += lastSequence - sequence + 1;
        account.explained.records += header.recordCount;
        continue;
      }
      const taken = header.thinned?.records ?? 0;
      assert.equal(header.recordCount + taken, recordsPerBatch, `${stream} ${sequence}`);
      if (header.thinned) account.thinned++;
      else account.whole++;
      account.records += header.recordCount;
      account.takenRecords += taken;
      account.bytes += bytes.length;
    }
  }
}

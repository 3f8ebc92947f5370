import { decodeBatch, decodeGap } from '@fleetlog/shared/batch';
import { RangeSet } from '@fleetlog/shared/util';
import type { BufferedBatch, GatewayBuffer } from '#gateway/buffer/buffer.js';
import type { Said } from './said.js';

/** What became of what a gateway had called durable. */
export interface CutAccount {
  /** Batches that were called durable and that only the cloud can have. */
  leftToCloud: number;
  lostBatches: number;
  lostRecords: number;
  complaints: string[];
}

export const emptyAccount = (): CutAccount => ({
  leftToCloud: 0,
  lostBatches: 0,
  lostRecords: 0,
  complaints: [],
});

/** Clocks of two processes on one machine. */
const sameTimeUs = 20_000;
/** Nothing that was durable may go for another reason than want of space. */
const allowedCauses = new Set(['buffer-full', 'expired']);
const readBatches = 64;

/** Accounts for one gateway over all its lives. */
export class Accountant {
  /** By stream and epoch, the sequences that the buffer had forgotten at the cut before. */
  private readonly forgotten = new Map<string, RangeSet>();

  /**
   * Reads all that the buffer would send, as the uplink does, and compares it with what was said before the cut: each
   * sequence must be there, be the batch that it was then, or be in a gap record of a cause that has nothing to do
   * with power. The buffer may have forgotten more only where `hadCloud`, which is asked in the end.
   */
  async account(buffer: GatewayBuffer, said: Iterable<Said>, hadCloud: boolean): Promise<CutAccount> {
    await buffer.rescued();
    const account = emptyAccount();
    for (const claim of said) await this.checkClaim(buffer, claim, hadCloud, account);
    return account;
  }

  private async checkClaim(
    buffer: GatewayBuffer,
    claim: Said,
    hadCloud: boolean,
    account: CutAccount,
  ): Promise<void> {
    const { stream, epoch, next: claimed, records } = claim;
    const own = `${stream}@${epoch}`;
    const name = epoch === buffer.epoch ? stream : own;
    const state = buffer.streams().find((s) => s.stream === name);
    const lose = (batches: number, lostRecords: number, why: string): void => {
      account.lostBatches += batches;
      account.lostRecords += Math.max(0, lostRecords);
      account.complaints.push(`${own}: of ${claimed} durable batches ${batches} are lost: ${why}`);
    };

    const found = new RangeSet();
    for (let at = state?.first ?? 0; state && at < Math.min(state.next, claimed);) {
      const read = await buffer.read(name, at, readBatches);
      if (read.length === 0) break;
      for (const batch of read) {
        at = batch.lastSequence + 1;
        if (batch.sequence >= claimed) break;
        found.add(batch.sequence, batch.lastSequence);
        checkBatch(batch, claim, lose);
      }
    }

    const missing = new RangeSet(found.holes(0, claimed - 1));
    account.leftToCloud += missing.size;
    const before = this.forgotten.get(own) ?? new RangeSet();
    this.forgotten.set(own, missing);
    if (epoch === buffer.epoch && (state?.next ?? 0) < claimed) {
      // Its sequences will be given to other batches.
      const next = state?.next ?? 0;
      lose(claimed - next, records - (state?.recordsPut ?? 0), `it goes on at ${next}`);
    } else if (!hadCloud) {
      const gone = new RangeSet(missing);
      for (const [first, last] of before) gone.remove(first, last);
      if (gone.size > 0) {
        const all = gone.size === claimed;
        lose(gone.size, all ? records : 0, `neither there nor explained, from ${gone.min}`);
      }
    }
  }
}

type Lose = (batches: number, records: number, why: string) => void;

function checkBatch({ bytes, sequence, lastSequence }: BufferedBatch, claim: Said, lose: Lose): void {
  const batch = decodeBatch(bytes);
  const { codec, recordCount, firstTimeUs } = batch.header;
  if (codec === 'gap-1') {
    const { cause } = decodeGap(batch);
    const batches = Math.min(lastSequence + 1, claim.next) - sequence;
    if (!allowedCauses.has(cause)) lose(batches, recordCount, `${cause}, from ${sequence}`);
  } else if (firstTimeUs > claim.timeUs + sameTimeUs) {
    lose(1, recordCount, `${sequence} is newer than what was durable`);
  }
}

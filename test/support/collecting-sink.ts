import { decodeLines } from '@fleetlog/shared/batch';
import { CandumpFormatter, decodeCan } from '@fleetlog/shared/can';
import type { Clock } from '@fleetlog/shared/util';
import type { BatchSink, SealedBatch } from '#gateway/sources/source.js';
import { sent } from './batches.js';

/** Keeps what a source puts, as a buffer would; can die like one. */
export class CollectingSink implements BatchSink {
  readonly batches: SealedBatch[] = [];
  /** Monotonic time of each put, where there is a clock. */
  readonly putUs: number[] = [];
  /** Called with each batch before it is kept; what it throws, `put` throws. */
  onPut: (batch: SealedBatch, index: number) => void | Promise<void> = () => {};

  constructor(private readonly clock?: Clock) {}

  async put(_stream: string, batch: SealedBatch): Promise<void> {
    await this.onPut(batch, this.batches.length);
    this.batches.push(batch);
    if (this.clock) this.putUs.push(this.clock.monotonicUs());
  }

  get position(): Uint8Array | undefined {
    return this.batches.at(-1)?.position;
  }

  get recordCount(): number {
    return this.batches.reduce((sum, { payload }) => sum + payload.recordCount, 0);
  }

  /** Everything that was put, as text again. */
  text(): string {
    return this.batches.map(textOf).join('');
  }

  /** Event times of everything that was put. */
  timesUs(): number[] {
    return this.batches.flatMap((batch) => {
      const records = decoded(batch);
      return Array.from({ length: records.count }, (_, i) => records.timeUs(i));
    });
  }
}

function decoded({ payload }: SealedBatch) {
  const batch = sent(payload);
  return payload.kind === 'can' ? decodeCan(batch) : decodeLines(batch);
}

function textOf(batch: SealedBatch): string {
  const records = decoded(batch);
  const bytes =
    'dataStart' in records
      ? new CandumpFormatter().format(records)
      : records.bytes.subarray(0, records.textBytes);
  return Buffer.from(bytes).toString('latin1');
}

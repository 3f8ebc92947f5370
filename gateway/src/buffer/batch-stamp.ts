import { encodeBatch, encodeGap, type BatchHeader, type EncodedPayload } from '@fleetlog/shared/batch';
import type { Clock } from '@fleetlog/shared/util';
import type { ClockFacts } from './clock-facts.js';
import type { GapSpan } from './gap-spans.js';
import { originalName, rescuedEpoch } from './integrity/rescued-names.js';
import type { StreamState } from './stream-state.js';

/** `clock` is that of the records, where they were stamped with one; otherwise it is how the clock stands now. */
type BatchPlace = Pick<BatchHeader, 'sequence' | 'lastSequence' | 'origin'> &
  Partial<Pick<BatchHeader, 'clock'>>;

/** Makes payloads batches of this gateway and buffer, as they go over the wire, stored now. */
export class BatchStamp {
  constructor(
    private readonly gateway: string,
    private readonly epoch: string,
    private readonly clock: Clock,
    private readonly clockFacts: ClockFacts,
  ) {}

  encode({ stream, kind }: StreamState, { payload, ...facts }: EncodedPayload & BatchPlace): Uint8Array {
    const { gateway, clock, clockFacts } = this;
    const epoch = rescuedEpoch(stream) ?? this.epoch;
    const read = facts.clock ?? clockFacts.read();
    // By the clock of the header, so that it and the batch's age follow from one monotonic time.
    const storeTimeUs = clock.monotonicUs() + read.wallOffsetUs;
    const life = { gateway, epoch, boot: clockFacts.boot, storeTimeUs, clock: read };
    return encodeBatch({ ...life, stream: originalName(stream), ...facts, kind }, payload);
  }

  gap(state: StreamState, gap: GapSpan): Uint8Array {
    const { first: sequence, last: lastSequence, records: recordCount, firstTimeUs, lastTimeUs } = gap;
    const payload = encodeGap(gap, { kind: state.kind, recordCount, firstTimeUs, lastTimeUs });
    return this.encode(state, { sequence, lastSequence, origin: 'live', ...payload });
  }
}

import { clockStates, type BatchHeader } from '@fleetlog/shared/batch';
import type { BootFacts } from '../time/boots.js';

/** What the index keeps of a boot beside its clock points, which have keys of their own. */
export type BootRecord = Omit<BootFacts, 'points'>;

/** Boots of which no event came yet stand behind all others, by their arrival. */
const unknownEpochOrder = 2 ** 32;

/** Of a batch that was stamped with the boot's clock. */
export function newBootRecord(header: BatchHeader, receiveTimeUs: number): BootRecord {
  const { boot, clock, firstTimeUs, lastTimeUs } = header;
  const { wallOffsetUs, state, uncertaintyUs } = clock;
  const monotonicUs = firstTimeUs - wallOffsetUs;
  return {
    boot,
    epochOrder: unknownEpochOrder,
    firstSequence: receiveTimeUs,
    firstUs: monotonicUs,
    lastUs: lastTimeUs - wallOffsetUs,
    firstWallOffsetUs: wallOffsetUs,
    batches: 0,
    records: 0,
    header: { monotonicUs, wallOffsetUs, state, uncertaintyUs, source: 'batches' },
  };
}

/** Adds a stamped batch; `eventsOrder` is the rank of its epoch where it is one of the gateway's events. */
export function extendBoot(record: BootRecord, header: BatchHeader, eventsOrder: number | undefined): void {
  const { clock, firstTimeUs, lastTimeUs, sequence } = header;
  const { wallOffsetUs, state, uncertaintyUs } = clock;
  const firstUs = firstTimeUs - wallOffsetUs;
  record.batches++;
  record.records += header.recordCount;
  if (firstUs < record.firstUs) Object.assign(record, { firstUs, firstWallOffsetUs: wallOffsetUs });
  record.lastUs = Math.max(record.lastUs, lastTimeUs - wallOffsetUs);
  const rank = clockStates.indexOf(state) - clockStates.indexOf(record.header.state);
  if (rank > 0 || (rank === 0 && firstUs > record.header.monotonicUs)) {
    record.header = { monotonicUs: firstUs, wallOffsetUs, state, uncertaintyUs, source: 'batches' };
  }
  if (eventsOrder === undefined) return;
  const isEarlier =
    eventsOrder < record.epochOrder || (eventsOrder === record.epochOrder && sequence < record.firstSequence);
  if (isEarlier) Object.assign(record, { epochOrder: eventsOrder, firstSequence: sequence });
}

import {
  decodeEvents,
  decodeLines,
  decodeSamples,
  TextLines,
  type Batch,
  type EventRecord,
  type Samples,
} from '@fleetlog/shared/batch';
import { CanFrames, decodeCan, decodeCanIds, type FrameChoice } from '@fleetlog/shared/can';
import type { TimeCorrection } from '../time/correction.js';

/** What all decoded batches have in common: the time of record i is `baseTimeUs + timeOffsetUs[i]`. */
export interface TimedColumns {
  readonly count: number;
  baseTimeUs: number;
  readonly timeOffsetUs: ArrayLike<number>;
}

interface EventColumns extends TimedColumns {
  readonly events: readonly EventRecord[];
}

/** The records of one batch. */
export type Records = (
  | { kind: 'can'; columns: CanFrames }
  | { kind: 'lines'; columns: TextLines }
  | { kind: 'samples'; columns: Samples }
  | { kind: 'events'; columns: EventColumns }
) & {
  /** Where nothing vouches for the times: the clock of the boot was never set, or nobody said that it is right. */
  doubt?: 'unset' | 'coarse';
};

/** Decodes batches into objects that are used over and over. */
export class RecordPool {
  private readonly frames: CanFrames[] = [];
  private readonly lines: TextLines[] = [];

  /** With `wants`, frames that it doesn't want may be left out. */
  constructor(private readonly wants?: FrameChoice) {}

  /** Errors: those of the codecs. */
  decode(batch: Batch): Records {
    switch (batch.header.kind) {
      case 'can':
        return { kind: 'can', columns: this.decodeFrames(batch) };
      case 'lines':
        return { kind: 'lines', columns: decodeLines(batch, this.lines.pop()) };
      case 'samples':
        return { kind: 'samples', columns: decodeSamples(batch) };
      case 'events': {
        const events = decodeEvents(batch);
        const baseTimeUs = batch.header.firstTimeUs;
        const timeOffsetUs = events.map(({ timeUs }) => timeUs - baseTimeUs);
        return { kind: 'events', columns: { count: events.length, baseTimeUs, timeOffsetUs, events } };
      }
    }
  }

  private decodeFrames(batch: Batch): CanFrames {
    const into = this.frames.pop();
    return this.wants ? decodeCanIds(batch, this.wants, into ?? new CanFrames()) : decodeCan(batch, into);
  }

  /** As `decode`, with the times corrected. */
  decodeCorrected(batch: Batch, correction: TimeCorrection | undefined): Records {
    const records = this.decode(batch);
    if (!correction) return records;
    correction.apply(records.columns, batch.header.firstTimeUs, batch.header.lastTimeUs);
    if (correction.state !== 'synced') records.doubt = correction.state;
    return records;
  }

  /** The caller won't touch these records again. */
  release(records: Records): void {
    if (records.kind === 'can' && this.frames.length < spareMax) this.frames.push(records.columns);
    if (records.kind === 'lines' && this.lines.length < spareMax) this.lines.push(records.columns);
  }
}

const spareMax = 4;

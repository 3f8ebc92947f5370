import type { Clock } from '@fleetlog/shared/util';

/** A smaller difference is noise of reading two clocks. */
const stepUsMin = 10_000;

/**
 * The times that the kernel stamps frames with are of the wall clock, which may be set at any moment: of the frames that
 * wait to be read then, some were stamped before and some after. This gives all of them as monotonic time + one offset,
 * which changes only when a batch has ended.
 */
export class KernelStamps {
  /** What `timeOf` gives is monotonic + this. */
  offsetUs: number;
  private wallOffsetUs: number;
  /** Before the wall clock was last set. */
  private formerOffsetUs: number;
  private lookedUs: number;

  constructor(private readonly clock: Clock) {
    this.lookedUs = clock.monotonicUs();
    this.offsetUs = this.wallOffsetUs = this.formerOffsetUs = this.measure().offsetUs;
  }

  /** To be called when frames were read, before their times are asked for. */
  look(): void {
    this.lookedUs = this.clock.monotonicUs();
    const { offsetUs, tookUs } = this.measure();
    // Read so slowly it says nothing: the next look will see it.
    if (tookUs > stepUsMin / 4 || Math.abs(offsetUs - this.wallOffsetUs) < stepUsMin) return;
    this.formerOffsetUs = this.wallOffsetUs;
    this.wallOffsetUs = offsetUs;
  }

  /** The wall clock was set: the batch has to be sealed, then `renew`. */
  get changed(): boolean {
    return this.offsetUs !== this.wallOffsetUs;
  }

  renew(): void {
    this.offsetUs = this.wallOffsetUs;
  }

  /** A frame was stamped a moment ago, by the wall clock of now or of before. */
  timeOf(stampUs: number): number {
    if (this.formerOffsetUs === this.wallOffsetUs) return stampUs + this.offsetUs - this.wallOffsetUs;
    const ageUs = this.lookedUs - (stampUs - this.wallOffsetUs);
    const formerAgeUs = this.lookedUs - (stampUs - this.formerOffsetUs);
    const isFormer = ageUs < -stepUsMin || (formerAgeUs >= -stepUsMin && formerAgeUs < ageUs);
    return stampUs + this.offsetUs - (isFormer ? this.formerOffsetUs : this.wallOffsetUs);
  }

  /** The thread may lose the processor between two readings: the quicker of two counts. */
  private measure(): Reading {
    const first = readingOf(this.clock);
    const second = readingOf(this.clock);
    return first.tookUs <= second.tookUs ? first : second;
  }
}

interface Reading {
  offsetUs: number;
  tookUs: number;
}

function readingOf(clock: Clock): Reading {
  const beforeUs = clock.monotonicUs();
  const wallUs = clock.nowUs();
  return { offsetUs: Math.round(wallUs - beforeUs), tookUs: clock.monotonicUs() - beforeUs };
}

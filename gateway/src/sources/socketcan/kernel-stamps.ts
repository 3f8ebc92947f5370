import type { Clock } from '@fleetlog/shared/util';

/** A smaller difference is noise of reading two clocks. */
const stepUsMin = 10_000;
/** A reading that took longer says nothing. */
const readingUsMax = stepUsMin / 4;
const firstReadingsMax = 100;

/**
 * The times that the kernel stamps frames with are of the wall clock, which may be set at any moment: of the frames that
 * wait to be read then, some were stamped before and some after. This gives all of them as monotonic time + one offset,
 * which changes only when a batch has ended.
 */
export class KernelStamps {
  /** What `timeOf` gives is monotonic + this. */
  offsetUs: number;
  private wallOffsetUs: number;
  /** Before the wall clock was last set; when that was seen, and when it hadn't been set yet. */
  private formerOffsetUs: number;
  private setUs: number;
  private notSetUs: number;
  /** The last look, and the last one that said something. */
  private lookedUs: number;
  private knownUs: number;

  constructor(private readonly clock: Clock) {
    this.lookedUs = this.knownUs = this.notSetUs = this.setUs = clock.monotonicUs();
    let reading = this.measure();
    for (let more = firstReadingsMax; reading.tookUs > readingUsMax && more > 0; more--)
      reading = this.measure();
    this.offsetUs = this.wallOffsetUs = this.formerOffsetUs = reading.offsetUs;
  }

  /** To be called when frames were read, before their times are asked for. */
  look(): void {
    this.lookedUs = this.clock.monotonicUs();
    const { offsetUs, tookUs } = this.measure();
    if (tookUs > readingUsMax) return; // the next look will see it
    const { knownUs } = this;
    this.knownUs = this.lookedUs;
    if (Math.abs(offsetUs - this.wallOffsetUs) < stepUsMin) return;
    this.formerOffsetUs = this.wallOffsetUs;
    this.wallOffsetUs = offsetUs;
    this.notSetUs = knownUs;
    this.setUs = this.lookedUs;
  }

  /** The wall clock was set: the batch has to be sealed, then `renew`. */
  get changed(): boolean {
    return this.offsetUs !== this.wallOffsetUs;
  }

  renew(): void {
    this.offsetUs = this.wallOffsetUs;
  }

  /** A frame was stamped a moment ago, by the wall clock of now or of before: whichever it could have been. */
  timeOf(stampUs: number): number {
    const sinceUs = stampUs - this.wallOffsetUs;
    const formerUs = stampUs - this.formerOffsetUs;
    const isFormerPossible = formerUs <= this.setUs + readingUsMax;
    const isLaterPossible =
      sinceUs >= this.notSetUs - readingUsMax && sinceUs <= this.lookedUs + readingUsMax;
    const isFormer = isFormerPossible && (!isLaterPossible || formerUs > sinceUs);
    return this.offsetUs + (isFormer ? formerUs : sinceUs);
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

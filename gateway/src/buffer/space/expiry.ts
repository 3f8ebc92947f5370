import type { BatchHeader } from '@fleetlog/shared/batch';
import type { Clock } from '@fleetlog/shared/util';
import type { ClockFacts } from '../clock-facts.js';
import type { StreamPolicy } from './limits.js';
import type { HeldStream, SpaceTarget } from './target.js';

/** Batches that are looked at, and given up, at one time. */
const chunkBatches = 256;
/** A wall clock that moved by more than this since the start was set, perhaps wrongly. */
const stepUs = 60e6;

/**
 * Gives up what a stream has held for longer than its `maxAge`. The age of what this boot stored comes from the
 * monotonic clock. Of earlier boots only the wall clock knows; it is believed where it was set at both ends and hasn't
 * jumped since the start, or is synced: a wrong clock keeps data too long rather than losing them.
 */
export class Expiry {
  private readonly firstOffsetUs: number;

  constructor(
    private readonly target: SpaceTarget,
    private readonly policyOf: (stream: string) => StreamPolicy,
    private readonly clock: Clock,
    private readonly clockFacts: ClockFacts,
  ) {
    this.firstOffsetUs = clockFacts.read().wallOffsetUs;
  }

  async run(): Promise<void> {
    for (const held of this.target.heldStreams()) {
      const { maxAgeMs } = this.policyOf(held.stream);
      if (maxAgeMs !== undefined) await this.expire(held, maxAgeMs);
    }
  }

  private async expire(held: HeldStream, maxAgeMs: number): Promise<void> {
    const { target } = this;
    const { stream } = held;
    let run = held.oldest;
    while (run) {
      const [first, end] = run;
      const isOld = async (sequence: number): Promise<boolean> => {
        const header = await target.header(stream, sequence);
        const ageUs = header && this.ageUs(header);
        return ageUs !== undefined && ageUs >= maxAgeMs * 1000;
      };
      if (!(await isOld(first))) return;
      let last = first;
      let young = Math.min(end, first + chunkBatches - 1) + 1;
      if (await isOld(young - 1)) last = young - 1;
      while (last + 1 < young) {
        const middle = (last + young) >>> 1;
        if (await isOld(middle)) last = middle;
        else young = middle;
      }
      const detail = `Stored more than ${durationText(maxAgeMs)} ago, the maxAge of this stream.`;
      if (!(await target.giveUp(stream, [first, last], { cause: 'expired', detail }))) return;
      run = target.heldStreams().find((other) => other.stream === stream)?.oldest;
    }
  }

  /** Since it was stored; undefined where no clock can tell. */
  private ageUs(header: BatchHeader): number | undefined {
    const { boot } = this.clockFacts;
    if (header.boot === boot) {
      return this.clock.monotonicUs() - (header.storeTimeUs - header.clock.wallOffsetUs);
    }
    const { state, wallOffsetUs } = this.clockFacts.read();
    if (header.clock.state === 'unset' || state === 'unset') return undefined;
    if (state !== 'synced' && Math.abs(wallOffsetUs - this.firstOffsetUs) > stepUs) return undefined;
    return this.clock.monotonicUs() + wallOffsetUs - header.storeTimeUs;
  }
}

/** As a person would say it: 5 s, 90 min, 36 h. */
function durationText(ms: number): string {
  const [unitMs, unit] = ms < 120_000 ? [1000, 's'] : ms < 7_200_000 ? [60_000, 'min'] : [3_600_000, 'h'];
  return `${(ms / unitMs).toLocaleString('en', { maximumFractionDigits: 1 })} ${unit}`;
}

import { EpochAssembler } from './epoch.js';
import { dialects, type Dialect, type ReadReport } from './line-reader.js';
import type { Fix } from './position.js';

/** For so long after a better source of the position was heard, worse ones aren't needed. */
const betterUs = 5_000_000;

/**
 * The positions that a stream's reports tell, one for each epoch. Where a receiver says the same in several languages,
 * or gpsd passes on what it has read itself, the best of them counts.
 */
export class PositionReader {
  private readonly assemblers: Record<Dialect, EpochAssembler>;
  /** When each dialect last told a position, µs. */
  private readonly heardUs: Record<Dialect, number> = { gpsd: -Infinity, ubx: -Infinity, nmea: -Infinity };

  /** `emit` gets each position; the fix is valid during the call only. */
  constructor(emit: (timeUs: number, fix: Fix) => void) {
    const assembler = (dialect: Dialect): EpochAssembler =>
      new EpochAssembler((timeUs, fix) => {
        this.heardUs[dialect] = timeUs;
        const isNeeded = dialects
          .slice(0, dialects.indexOf(dialect))
          .every((better) => timeUs - this.heardUs[better] > betterUs && !this.isOpen(better));
        if (isNeeded) emit(timeUs, fix);
      });
    this.assemblers = { gpsd: assembler('gpsd'), ubx: assembler('ubx'), nmea: assembler('nmea') };
  }

  /** Positions at or after this time may still come; Infinity where all that was read is told. */
  get openSinceUs(): number {
    return Math.min(...dialects.map((dialect) => this.assemblers[dialect].openSinceUs));
  }

  take({ dialect, type, tag, observe }: ReadReport, timeUs: number): void {
    if (!observe) return;
    observe(this.assemblers[dialect].take(type, timeUs, tag));
  }

  /** Ends what is still open, but too old at `nowUs`: the receiver has fallen silent, or speaks another language. */
  expire(nowUs: number): void {
    for (const dialect of dialects) this.assemblers[dialect].expire(nowUs);
  }

  /** No more comes. */
  finish(): void {
    for (const dialect of dialects) this.assemblers[dialect].finish();
  }

  private isOpen(dialect: Dialect): boolean {
    return this.assemblers[dialect].openSinceUs !== Infinity;
  }
}

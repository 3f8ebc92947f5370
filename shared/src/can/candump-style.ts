import type { CanFrames } from './frames.js';
import { LOWER_CASE, PADDED_SECONDS_DIGITS, UPPER_CASE } from './candump-grammar.js';

/** Bits of a line's form: its number of decimals (0 to 6), and whether it ends in CR LF. */
export const DECIMALS_MASK = 7;
export const FORM_CRLF = 8;

/**
 * Settles the `CandumpStyle` of each batch from the lines as they come, and tells which lines aren't of it.
 *
 * Decimals and line end follow the batch's first line, or the batch before it where that fitted most of its lines (so
 * that one odd line at the wrong place doesn't make a whole batch odd). Case and padding are settled by the first
 * line that shows them.
 */
export class StyleTracker {
  /** Decimals and line end of the batch. */
  form = 0;
  /** UPPER_CASE or LOWER_CASE once the batch has shown a letter, else 0. */
  letterCase = 0;
  /** Lines of the batch. */
  lines = 0;
  private linesOfOtherForm = 0;
  private paddingKnown = false;

  /** Starts a batch with a line of this form. */
  begin(frames: CanFrames, form: number, timesAreShifted: boolean): void {
    if (this.lines === 0 || 2 * this.linesOfOtherForm > this.lines) this.form = form;
    this.lines = 0;
    this.linesOfOtherForm = 0;
    this.letterCase = 0;
    this.paddingKnown = false;
    frames.style = {
      decimals: timesAreShifted ? 6 : this.form & DECIMALS_MASK,
      lowerCase: false,
      crlf: (this.form & FORM_CRLF) !== 0,
      padded: true,
    };
  }

  /**
   * Counts a line and settles what it shows; true where it isn't of the batch's style.
   * `letterCase` holds the cases of its letters; `secondsDigits` is negative where the seconds start with a zero.
   */
  settle(frames: CanFrames, form: number, letterCase: number, secondsDigits: number): boolean {
    this.lines++;
    let odd = false;
    if (form !== this.form) {
      this.linesOfOtherForm++;
      odd = true;
    }
    if (letterCase & ~this.letterCase) {
      if (this.letterCase === 0 && letterCase !== (UPPER_CASE | LOWER_CASE)) {
        this.letterCase = letterCase;
        frames.style.lowerCase = letterCase === LOWER_CASE;
      } else {
        odd = true;
      }
    }
    return secondsDigits === PADDED_SECONDS_DIGITS ? odd : this.settlePadding(frames, secondsDigits) || odd;
  }

  private settlePadding(frames: CanFrames, secondsDigits: number): boolean {
    const leadingZero = secondsDigits < -1;
    const padded = Math.abs(secondsDigits) === PADDED_SECONDS_DIGITS;
    if (leadingZero !== padded) return true; // neither 0000000007 nor 7
    if (!this.paddingKnown) {
      this.paddingKnown = true;
      frames.style.padded = padded;
    }
    return frames.style.padded !== padded;
  }
}

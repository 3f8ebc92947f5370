import type { CanFrames } from './frames.js';
import { LOWER_CASE, PADDED_SECONDS_DIGITS, UPPER_CASE } from './candump-grammar.js';

/**
 * Bits of a line's form: its number of decimals (0 to 6), whether it ends in CR LF, and whether its fraction ends in a
 * zero. A batch's form says instead whether its writer drops such zeros.
 */
export const DECIMALS_MASK = 7;
export const FORM_CRLF = 8;
export const FORM_ZERO = 16;
export const FORM_TRIMMED = 32;

/**
 * Settles the `CandumpStyle` of each batch from the lines as they come, and tells which lines aren't of it.
 *
 * Decimals and line end follow the batch's first line, or the batch before it where that fitted most of its lines (so
 * that one odd line at the wrong place doesn't make a whole batch odd). Whether zeros at the end of fractions are dropped,
 * as by `print(time)` of many languages, follows the batch before. Case and padding are settled by the first
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
  /** Lines whose fraction is shorter than the batch's, and ends in no zero; and lines that end in one. */
  private shorterLines = 0;
  private zeroLines = 0;
  /** Decimals of the line that has most. */
  private decimalsMax = 0;
  private paddingKnown = false;

  /** Starts a batch with a line of this form. */
  begin(frames: CanFrames, form: number, timesAreShifted: boolean): void {
    if (this.shorterLines > this.zeroLines) {
      this.form = (this.form & FORM_CRLF) | FORM_TRIMMED | this.decimalsMax;
    } else if (this.lines === 0 || 2 * this.linesOfOtherForm > this.lines) {
      this.form = form & ~FORM_ZERO;
    } else if (this.zeroLines > 0) {
      this.form &= ~FORM_TRIMMED;
    }
    this.lines = 0;
    this.linesOfOtherForm = 0;
    this.shorterLines = 0;
    this.zeroLines = 0;
    this.decimalsMax = this.form & DECIMALS_MASK;
    this.letterCase = 0;
    this.paddingKnown = false;
    frames.style = {
      decimals: timesAreShifted ? 6 : this.form & DECIMALS_MASK,
      lowerCase: false,
      crlf: (this.form & FORM_CRLF) !== 0,
      padded: true,
      trimmed: !timesAreShifted && (this.form & FORM_TRIMMED) !== 0,
    };
  }

  /**
   * Counts a line and settles what it shows; true where it isn't of the batch's style.
   * `letterCase` holds the cases of its letters; `secondsDigits` is negative where the seconds start with a zero.
   */
  settle(frames: CanFrames, form: number, letterCase: number, secondsDigits: number): boolean {
    this.lines++;
    let odd = this.isOfOtherForm(form);
    if (odd) this.linesOfOtherForm++;
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

  private isOfOtherForm(form: number): boolean {
    const decimals = form & DECIMALS_MASK;
    const most = this.form & DECIMALS_MASK;
    if (decimals > this.decimalsMax) this.decimalsMax = decimals;
    if (form & FORM_ZERO) this.zeroLines++;
    else if (decimals > 0 && decimals < most) this.shorterLines++;
    if ((form ^ this.form) & FORM_CRLF) return true;
    if (this.form & FORM_TRIMMED) return decimals === 0 || decimals > most || (form & FORM_ZERO) !== 0;
    return decimals !== most;
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

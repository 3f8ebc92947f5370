import type { Rule } from './rules.js';

/** An alert that begins or ends. */
export interface AlertChange {
  state: 'raised' | 'cleared';
  /** Event time at which that was so. */
  timeUs: number;
  /** The value, or rate in 1/s; undefined where there is none (a missing signal). */
  value?: number;
}

/** One rule for one gateway. Times ascend. */
export class RuleState {
  private isRaised = false;
  /** Since when the condition has held, where it isn't long enough yet. */
  private sinceUs: number | undefined;
  private last: { timeUs: number; value: number } | undefined;
  /** When the signal was said last, or its stream began. */
  private heardUs: number | undefined;

  constructor(private readonly condition: Rule['condition']) {}

  value(timeUs: number, value: number): AlertChange | undefined {
    const { condition, last } = this;
    this.heardUs = timeUs;
    this.last = { timeUs, value };
    if (condition.kind === 'missing')
      return this.isRaised ? this.change('cleared', timeUs, value) : undefined;
    if (condition.kind === 'value') return this.judge(condition, timeUs, value);
    if (!last || timeUs <= last.timeUs) return undefined;
    return this.judge(condition, timeUs, ((value - last.value) * 1e6) / (timeUs - last.timeUs));
  }

  /** Its stream has come to this time. */
  passed(timeUs: number): AlertChange | undefined {
    this.heardUs ??= timeUs;
    const { condition, heardUs } = this;
    if (condition.kind !== 'missing' || this.isRaised || timeUs - heardUs < condition.forUs) return undefined;
    return this.change('raised', timeUs);
  }

  private judge(
    { side, bound, clear, forUs }: Exclude<Rule['condition'], { kind: 'missing' }>,
    timeUs: number,
    x: number,
  ): AlertChange | undefined {
    if (this.isRaised) return (x - clear) * side <= 0 ? this.change('cleared', timeUs, x) : undefined;
    if ((x - bound) * side <= 0) {
      this.sinceUs = undefined;
      return undefined;
    }
    this.sinceUs ??= timeUs;
    return timeUs - this.sinceUs >= forUs ? this.change('raised', timeUs, x) : undefined;
  }

  private change(state: AlertChange['state'], timeUs: number, value?: number): AlertChange {
    this.isRaised = state === 'raised';
    this.sinceUs = undefined;
    return { state, timeUs, ...(value !== undefined && { value }) };
  }
}

import { encodeLines, limits, TextLines, type EncodedPayload } from '@fleetlog/shared/batch';
import type { Batcher } from '../batch/batcher.js';
import { Feed, type FeedState, type FeedStop } from './feed.js';
import type { LineTimes } from './line-times.js';
import type { LineWindow } from './line-window.js';

const LF = 10;

/**
 * Text lines of any content, kept with their line ends; a line feed ends a line, whatever else the bytes are. Event
 * times never go backwards: an earlier one counts as a reversal and becomes that of the record before.
 */
export class LinesFeed extends Feed {
  override readonly kind = 'lines';
  override readonly lineBytesMax = limits.lineBytesMax;
  override readonly columns = new TextLines();
  override shiftUs = 0;
  /** Event time of line `timedLine`, before it is known that the line can be taken. */
  private timeUs = 0;
  private timedLine = 0;

  /** `level`: of compression, where not the usual one. */
  constructor(
    private readonly times: LineTimes,
    private readonly level?: number,
  ) {
    super();
  }

  override encode(): EncodedPayload {
    return encodeLines(this.columns, this.level);
  }

  override lookAhead(window: LineWindow): void {
    this.times.lookAhead(window.bytes, window.at, window.end);
  }

  protected override takeLines(window: LineWindow, batcher: Batcher): FeedStop {
    const { bytes, linesEnd } = window;
    while (window.at < linesEnd) {
      const end = bytes.indexOf(LF, window.at) + 1;
      if (end - window.at > this.lineBytesMax) {
        return this.refuseLine(window, end, this.tooLong);
      }
      const stop = this.takeLine(window, end, batcher);
      if (stop !== 'empty') return stop;
    }
    return 'empty';
  }

  protected override takeLast(window: LineWindow, batcher: Batcher): FeedStop {
    return this.takeLine(window, window.end, batcher);
  }

  override state(): FeedState {
    return { ...super.state(), lineTimes: this.times.state() };
  }

  override restore(state: FeedState): void {
    super.restore(state);
    this.times.restore(state.lineTimes);
  }

  /** Takes the record `[window.at, end)`. */
  protected takeLine(window: LineWindow, end: number, batcher: Batcher): FeedStop {
    const { columns, times } = this;
    if (this.timedLine !== this.lineNumber + 1) {
      this.timeUs = times.timeOf(window.bytes, window.at, end);
      this.timedLine = this.lineNumber + 1;
    }
    const shiftedUs = this.timeUs + this.shiftUs;
    const timeUs = Math.max(shiftedUs, this.lastTimeUs);
    if (times.recorded && timeUs > this.dueUs) {
      this.nextTimeUs = timeUs;
      return 'later';
    }
    if (columns.count > 0 && timeUs - columns.baseTimeUs > batcher.limits.spanUs) return 'seal';
    columns.append(timeUs, window.bytes, window.at, end - window.at);
    window.at = end;
    if (shiftedUs < timeUs) this.counters.timeReversals++;
    this.accept(timeUs);
    return batcher.recordAdded(columns.textBytes) ? 'seal' : 'empty';
  }
}

import type { EncodedPayload } from '@fleetlog/shared/batch';
import {
  CANDUMP_LINE_BYTES_MAX,
  CandumpParser,
  CanFrames,
  encodeCan,
  lineReason,
  lineResult,
  type LineResult,
} from '@fleetlog/shared/can';
import type { Batcher } from '../batch/batcher.js';
import { Feed, type FeedStop } from './feed.js';
import type { LineWindow } from './line-window.js';

/** `candump -L` text; empty lines and comments are malformed too, because they can't be given back. */
export class CandumpFeed extends Feed {
  override readonly kind = 'can';
  override readonly lineBytesMax = CANDUMP_LINE_BYTES_MAX;
  override readonly columns = new CanFrames();
  private readonly parser = new CandumpParser();

  /** `onBatch` sees the frames of each batch before they are encoded. */
  constructor(private readonly onBatch?: (frames: CanFrames) => void) {
    super();
  }

  get shiftUs(): number {
    return this.parser.shiftUs;
  }
  set shiftUs(value: number) {
    this.parser.shiftUs = value;
  }

  override encode(): EncodedPayload {
    this.onBatch?.(this.columns);
    return encodeCan(this.columns);
  }

  override lookAhead(): void {}

  protected override takeLines(window: LineWindow, batcher: Batcher): FeedStop {
    const { parser, columns } = this;
    parser.dueUs = this.dueUs;
    parser.spanUs = batcher.limits.spanUs;
    const { bytes, linesEnd } = window;
    while (window.at < linesEnd) {
      const result = parser.parseLine(bytes, window.at, columns);
      if (result !== lineResult.ok) return this.stop(result, window);
      window.at = parser.lineEnd;
      const rewound = this.accept(parser.timeUs);
      const full = batcher.recordAdded(columns.dataBytes + parser.verbatimBytes);
      if (rewound) return 'rewound';
      if (full) return 'seal';
    }
    return 'empty';
  }

  protected override takeLast(window: LineWindow, batcher: Batcher): FeedStop {
    const { parser, columns } = this;
    parser.dueUs = this.dueUs;
    const result = parser.parseUnterminated(window.bytes, window.at, window.end, columns);
    if (result !== lineResult.ok) return this.stop(result, window, 'truncated last line: ');
    window.at = window.end;
    this.accept(parser.timeUs);
    batcher.recordAdded(columns.dataBytes + parser.verbatimBytes);
    return 'empty';
  }

  private stop(result: LineResult, window: LineWindow, prefix = ''): FeedStop {
    if (result === lineResult.seal) return 'seal';
    if (result === lineResult.later) {
      this.nextTimeUs = this.parser.timeUs;
      return 'later';
    }
    const end = this.parser.lineEnd;
    // The length comes first, as for a line that didn't fit the window
    const reason = end - window.at > this.lineBytesMax ? this.tooLong : lineReason(result);
    return this.refuseLine(window, end, prefix + reason);
  }
}

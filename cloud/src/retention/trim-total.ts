import type { Log, LogNote } from '../log/log.js';

export interface TrimCount {
  batches: number;
  bytes: number;
}

/*
 * note "trims" = JSON of the `TrimCount` of all time
 */
const totalKey = 'trims';

/** What was trimmed since the log was made, which is written with each trim. */
export class TrimTotal {
  private constructor(readonly count: TrimCount) {}

  static async load(log: Pick<Log, 'note'>): Promise<TrimTotal> {
    const stored = await log.note(totalKey);
    return new TrimTotal(
      stored ? (JSON.parse(Buffer.from(stored).toString()) as TrimCount) : { batches: 0, bytes: 0 },
    );
  }

  /** What the total will be. */
  noteWith({ batches, bytes }: TrimCount): LogNote {
    const total = { batches: this.count.batches + batches, bytes: this.count.bytes + bytes };
    return { key: totalKey, value: Buffer.from(JSON.stringify(total)) };
  }

  /** It is written. */
  add({ batches, bytes }: TrimCount): void {
    this.count.batches += batches;
    this.count.bytes += bytes;
  }
}

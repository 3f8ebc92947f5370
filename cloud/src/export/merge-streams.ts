import type { RecordRun } from './merge.js';
import type { Records } from './records.js';

export interface StreamRef {
  gateway: string;
  stream: string;
}

/** Consecutive records of one of the streams; they hold until the next ones are taken. */
export interface StreamRun extends RecordRun {
  source: StreamRef;
}

/** The records of one stream, by time. */
export interface MergeSource {
  source: StreamRef;
  runs: AsyncGenerator<RecordRun>;
}

class SourceCursor {
  source: StreamRef;
  /** Of the next record; Infinity at the end. */
  timeUs = -Infinity;
  private records: Records | undefined;
  private at = 0;
  private to = 0;

  constructor(private readonly from: MergeSource) {
    this.source = from.source;
  }

  /** Takes the next run where this one is used up. */
  async settle(): Promise<void> {
    while (this.at >= this.to) {
      const { done, value } = await this.from.runs.next();
      if (done) {
        this.timeUs = Infinity;
        return;
      }
      this.records = value.records;
      this.at = value.from;
      this.to = value.to;
    }
    this.timeUs = timeOf(this.records!, this.at);
  }

  /** The records up to `limitUs`, without it where it isn't `inclusive`; at least one. */
  take(limitUs: number, inclusive: boolean): StreamRun {
    const { source, at: from, to: end } = this;
    const records = this.records!;
    const { baseTimeUs, timeOffsetUs } = records.columns;
    const last = limitUs - baseTimeUs - (inclusive ? 0 : 1);
    let to = from + 1;
    while (to < end && timeOffsetUs[to] <= last) to++;
    this.at = to;
    return { source, records, from, to };
  }
}

const timeOf = ({ columns }: Records, at: number): number => columns.baseTimeUs + columns.timeOffsetUs[at];

/** Several streams as one, by time; of equal times in the order in which the streams are given. Errors: theirs. */
export async function* mergeStreams(sources: readonly MergeSource[]): AsyncGenerator<StreamRun> {
  try {
    if (sources.length === 1) {
      const [{ source, runs }] = sources;
      for await (const run of runs) yield { source, ...run };
      return;
    }
    const cursors = sources.map((source) => new SourceCursor(source));
    for (const cursor of cursors) await cursor.settle();
    for (;;) {
      let first = 0;
      for (let i = 1; i < cursors.length; i++) if (cursors[i].timeUs < cursors[first].timeUs) first = i;
      if (!(cursors[first]?.timeUs < Infinity)) return;
      let second = -1;
      for (let i = 0; i < cursors.length; i++) {
        if (i !== first && (second < 0 || cursors[i].timeUs < cursors[second].timeUs)) second = i;
      }
      yield cursors[first].take(cursors[second].timeUs, first < second);
      await cursors[first].settle();
    }
  } finally {
    for (const { runs } of sources) await runs.return(undefined);
  }
}

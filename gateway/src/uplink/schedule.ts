import type { BufferedStream } from '../buffer/buffer.js';

/** What to send next: batches of `stream` from `sequence` on, before `end`, at most `limit`. */
export interface Turn {
  stream: string;
  sequence: number;
  end: number;
  limit: number;
}

/** Decides the order of sending, and nothing else does. One lives as long as one connection. */
export interface Schedule {
  /** Undefined where everything durable was sent. */
  next(streams: readonly BufferedStream[]): Turn | undefined;
  /** This one is on its way. */
  sent(stream: string, sequence: number): void;
  /** Everything before `sequence` is done. */
  skipTo(stream: string, sequence: number): void;
  /** It was sent and has to be sent again. */
  again(stream: string, sequence: number): void;
}

interface Progress {
  /** Everything before was sent. */
  cursor: number;
  /** To be sent again, before anything new; ascending. */
  again: number[];
}

/** Batches of one stream in one turn: enough to make a read worth it, few enough to be fair. */
const turnBatches = 16;

/** Streams take turns; within a stream the oldest goes first. */
export class OldestFirst implements Schedule {
  private readonly progress = new Map<string, Progress>();
  private last = '';

  next(streams: readonly BufferedStream[]): Turn | undefined {
    const start = streams.findIndex(({ stream }) => stream === this.last) + 1;
    for (let i = 0; i < streams.length; i++) {
      const { stream, first, durableNext } = streams[(start + i) % streams.length];
      const { again, cursor } = this.of(stream);
      while (again.length > 0 && again[0] < first) again.shift();
      const sequence = again.length > 0 ? again[0] : Math.max(cursor, first);
      if (sequence >= durableNext) continue;
      this.last = stream;
      return { stream, sequence, end: durableNext, limit: again.length > 0 ? 1 : turnBatches };
    }
    return undefined;
  }

  sent(stream: string, sequence: number): void {
    const progress = this.of(stream);
    progress.again = progress.again.filter((s) => s !== sequence);
    progress.cursor = Math.max(progress.cursor, sequence + 1);
  }

  skipTo(stream: string, sequence: number): void {
    const progress = this.of(stream);
    progress.again = progress.again.filter((s) => s >= sequence);
    progress.cursor = Math.max(progress.cursor, sequence);
  }

  again(stream: string, sequence: number): void {
    const { again } = this.of(stream);
    again.push(sequence);
    again.sort((a, b) => a - b);
  }

  private of(stream: string): Progress {
    let progress = this.progress.get(stream);
    if (!progress) this.progress.set(stream, (progress = { cursor: 0, again: [] }));
    return progress;
  }
}

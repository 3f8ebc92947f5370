import { RangeSet } from '@fleetlog/shared/util';
import type { BufferedStream } from '../buffer/buffer.js';
import { isRescuedName } from '../buffer/integrity/rescued-names.js';

/** `live`: what came since the connection began. `backlog`: what was there before, and what piled up since. */
export type Lane = 'live' | 'backlog';

/** What to send next: batches of `stream` from `sequence` on, before `end`, at most `limit`. */
export interface Turn {
  lane: Lane;
  stream: string;
  sequence: number;
  end: number;
  limit: number;
}

export type BacklogOrder = 'oldest-first' | 'newest-first';

/** Decides the order of sending, and nothing else does. One lives as long as one connection. */
export interface Schedule {
  /** The live lane goes before the backlog. Undefined where the open lanes have nothing durable to send. */
  next(streams: readonly BufferedStream[], open: Readonly<Record<Lane, boolean>>): Turn | undefined;
  /** These are on their way, or there is nothing to send of them. */
  done(stream: string, first: number, last: number): void;
  /** It was sent in this lane and has to be sent again. */
  again(lane: Lane, stream: string, sequence: number): void;
}

interface Progress {
  /** From here on batches are live. */
  liveNext: number;
  /** Live batches to be sent again, before anything new. */
  liveAgain: RangeSet;
  /** Everything older that is to be sent. */
  backlog: RangeSet;
  /** What was durable at `markMs`: the live lane has piled up where that isn't sent for long. */
  markNext: number;
  markMs: number;
}

/** Batches of one stream in one turn: enough to make a read worth it, few enough to be fair. */
const turnBatches = 16;
/** A live batch that waits longer belongs to the backlog, so that newer ones don't wait behind it. */
const piledMs = 3000;

/**
 * Live batches go first, in order; what is older drains in what is left. Streams take turns within each lane.
 * Why: after an outage of a day the dashboards of a fleet show the present within a second, not in a day.
 */
export class LiveFirst implements Schedule {
  private readonly progress = new Map<string, Progress>();
  private readonly last: Record<Lane, string> = { live: '', backlog: '' };

  /** `streams`: what the buffer holds when the connection begins; `nowMs`: monotonic. */
  constructor(
    streams: readonly BufferedStream[],
    private readonly order: BacklogOrder,
    private readonly nowMs: () => number,
  ) {
    for (const { stream, first, durableNext } of streams) {
      const progress = this.of(stream, durableNext);
      if (durableNext > first) progress.backlog.add(first, durableNext - 1);
    }
  }

  next(streams: readonly BufferedStream[], open: Readonly<Record<Lane, boolean>>): Turn | undefined {
    for (const stream of streams) this.moveWhatPiledUp(stream);
    return (open.live ? this.live(streams) : undefined) ?? (open.backlog ? this.backlog(streams) : undefined);
  }

  done(stream: string, first: number, last: number): void {
    const progress = this.of(stream, first);
    progress.backlog.remove(first, last);
    progress.liveAgain.remove(first, last);
    if (first <= progress.liveNext) progress.liveNext = Math.max(progress.liveNext, last + 1);
  }

  again(lane: Lane, stream: string, sequence: number): void {
    const { liveAgain, backlog } = this.of(stream, sequence + 1);
    (lane === 'live' ? liveAgain : backlog).add(sequence);
  }

  private live(streams: readonly BufferedStream[]): Turn | undefined {
    for (const { stream, first, durableNext } of this.inTurn('live', streams)) {
      const { liveAgain, liveNext } = this.of(stream, first);
      if (first > 0) liveAgain.remove(0, first - 1);
      const [again] = liveAgain;
      if (again) return this.turn('live', stream, again[0], again[1] + 1);
      const sequence = Math.max(liveNext, first);
      if (sequence < durableNext) return this.turn('live', stream, sequence, durableNext);
    }
    return undefined;
  }

  private backlog(streams: readonly BufferedStream[]): Turn | undefined {
    for (const { stream, first } of this.inTurn('backlog', streams)) {
      const { backlog } = this.of(stream, first);
      if (first > 0) backlog.remove(0, first - 1);
      const range = this.order === 'oldest-first' ? backlog.firstRange : backlog.lastRange;
      if (!range) continue;
      const [low, high] = range;
      const sequence = this.order === 'oldest-first' ? low : Math.max(low, high - turnBatches + 1);
      return this.turn('backlog', stream, sequence, high + 1);
    }
    return undefined;
  }

  private turn(lane: Lane, stream: string, sequence: number, end: number): Turn {
    this.last[lane] = stream;
    return { lane, stream, sequence, end, limit: Math.min(turnBatches, end - sequence) };
  }

  private *inTurn(lane: Lane, streams: readonly BufferedStream[]): Generator<BufferedStream> {
    const start = streams.findIndex(({ stream }) => stream === this.last[lane]) + 1;
    for (let i = 0; i < streams.length; i++) yield streams[(start + i) % streams.length];
  }

  private moveWhatPiledUp({ stream, first, durableNext }: BufferedStream): void {
    const progress = this.of(stream, first);
    const { liveNext, markNext, markMs, backlog } = progress;
    if (isRescuedName(stream)) {
      if (liveNext < durableNext) backlog.add(liveNext, durableNext - 1);
      progress.liveNext = Math.max(liveNext, durableNext);
      return; // of an earlier life: nothing of it is live
    }
    const nowMs = this.nowMs();
    if (liveNext < markNext && nowMs - markMs < piledMs) return;
    if (liveNext < markNext && liveNext < durableNext - 1) {
      backlog.add(liveNext, durableNext - 2);
      progress.liveNext = durableNext - 1;
    }
    progress.markNext = durableNext;
    progress.markMs = nowMs;
  }

  private of(stream: string, liveNext: number): Progress {
    let progress = this.progress.get(stream);
    if (!progress) {
      progress = {
        liveNext,
        liveAgain: new RangeSet(),
        backlog: new RangeSet(),
        markNext: liveNext,
        markMs: this.nowMs(),
      };
      this.progress.set(stream, progress);
    }
    return progress;
  }
}

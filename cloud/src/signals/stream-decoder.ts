import type { CanFrames } from '@fleetlog/shared/can';
import type { Signal } from './dbc/model.js';
import { SignalDecoder, type Series, type WantedMessage } from './decode/decoder.js';
import type { AssignedSignal } from './directory.js';

/** A time during which the same databases apply. */
interface Period {
  fromUs: number;
  toUs: number;
  decoder: SignalDecoder;
  /** By column; undefined where no database has the signal then. */
  signals: (Signal | undefined)[];
}

const nothing: Series = {
  count: 0,
  times: new Float64Array(0),
  values: new Float64Array(0),
  tooShort: 0,
};

/** Decodes columns of signals out of the frames of one stream, each frame with the database that applies at its time. */
export class StreamDecoder {
  private readonly periods: Period[];

  /** By column, what a signal is at different times. */
  constructor(columns: readonly (readonly AssignedSignal[])[]) {
    const all = columns.flat();
    const bounds = new Set(all.flatMap(({ fromUs = -Infinity, toUs = Infinity }) => [fromUs, toUs]));
    const sorted = [...bounds].sort((a, b) => a - b);
    this.periods = sorted.slice(1).map((toUs, i) => periodOf(sorted[i], toUs, columns));
  }

  /**
   * What the frames `[from, to)`, which are in the order of time, say: of each column a series, which holds until the
   * next is taken. One answer for each time with other databases.
   */
  *decode(frames: CanFrames, from: number, to: number): Generator<Series[]> {
    for (const { fromUs, toUs, decoder, signals } of this.periods) {
      const first = firstAt(frames, from, to, fromUs);
      const end = firstAt(frames, first, to, toUs);
      if (first === end) continue;
      decoder.clear();
      decoder.decode(frames, first, end);
      if (decoder.matched > 0) yield signals.map((signal) => (signal ? decoder.series(signal) : nothing));
    }
  }
}

function periodOf(fromUs: number, toUs: number, columns: readonly (readonly AssignedSignal[])[]): Period {
  const inForce = columns.map((column) =>
    column.find((one) => (one.fromUs ?? -Infinity) <= fromUs && toUs <= (one.toUs ?? Infinity)),
  );
  const wanted = new Map<WantedMessage['message'], Set<Signal>>();
  for (const one of inForce) {
    if (!one) continue;
    const signals = wanted.get(one.message);
    if (signals) signals.add(one.signal);
    else wanted.set(one.message, new Set([one.signal]));
  }
  const decoder = new SignalDecoder(
    Array.from(wanted, ([message, signals]) => ({ message, signals: [...signals] })),
  );
  return { fromUs, toUs, decoder, signals: inForce.map((one) => one?.signal) };
}

/** First of the frames `[from, to)` that is at or after `timeUs`. */
function firstAt({ timeOffsetUs, baseTimeUs }: CanFrames, from: number, to: number, timeUs: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (baseTimeUs + timeOffsetUs[middle] < timeUs) low = middle + 1;
    else high = middle;
  }
  return low;
}

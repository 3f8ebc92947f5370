import { everyByte, type CanFrames, type FrameChoice } from '@fleetlog/shared/can';
import type { Signal } from './dbc/model.js';
import { SignalDecoder, type Series, type WantedMessage } from './decode/decoder.js';
import type { CanSignal } from './stream-signal.js';
import { carrierOf, flagsOf } from './transport/carriers.js';
import { Transport } from './transport/transport.js';

/** What one signal is for some time. */
export type SignalMeaning = Pick<CanSignal, 'message' | 'signal' | 'fromUs' | 'toUs'>;

/** A time during which the same databases apply. */
interface Period {
  fromUs: number;
  toUs: number;
  decoder: SignalDecoder;
  transport: Transport;
  /** By column; undefined where no database has the signal then. */
  signals: (Signal | undefined)[];
}

const nothing: Series = {
  count: 0,
  times: new Float64Array(0),
  values: new Float64Array(0),
  tooShort: 0,
};

/**
 * Decodes columns of signals out of the frames of one stream, each frame with the database that applies at its time.
 * Messages that a transport protocol cuts into frames are put together first; each has the time of its last frame.
 */
export class StreamDecoder {
  private readonly periods: Period[];

  /** By column, what a signal is at different times. */
  constructor(columns: readonly (readonly SignalMeaning[])[]) {
    const all = columns.flat();
    const bounds = new Set(all.flatMap(({ fromUs = -Infinity, toUs = Infinity }) => [fromUs, toUs]));
    const sorted = [...bounds].sort((a, b) => a - b);
    this.periods = sorted.slice(1).map((toUs, i) => periodOf(sorted[i], toUs, columns));
  }

  /** Whether messages are put together of several frames. */
  get needsTransport(): boolean {
    return this.periods.some(({ transport }) => transport.isNeeded);
  }

  /** Which bytes of frames with this `canid_t` may say something, at any time. */
  readonly wants: FrameChoice = (id) => {
    let wanted: Uint8Array | undefined;
    for (const { decoder, transport } of this.periods) {
      if (transport.isNeeded && transport.carries(id)) return everyByte;
      const bytes = decoder.wants(id);
      if (bytes) wanted = wanted ? eitherOf(wanted, bytes) : bytes;
    }
    return wanted;
  };

  /** Whether no two of these identifiers are of one message, at any time. */
  areSeparate(ids: readonly number[]): boolean {
    return this.periods.every(({ decoder }) => {
      const messages = ids.map((id) => decoder.messageOf(id)).filter((message) => message >= 0);
      return new Set(messages).size === messages.length;
    });
  }

  /**
   * As `decode`, of frames of identifiers that are separate: each list is in the order of time by itself. Nothing is put
   * together of several frames.
   */
  *decodeSeparate(lists: readonly CanFrames[]): Generator<Series[]> {
    for (const { fromUs, toUs, decoder, signals } of this.periods) {
      decoder.clear();
      for (const frames of lists) {
        const first = firstAt(frames, 0, frames.count, fromUs);
        const end = firstAt(frames, first, frames.count, toUs);
        if (first < end) decoder.decode(frames, first, end);
      }
      if (decoder.matched > 0) yield signals.map((signal) => (signal ? decoder.series(signal) : nothing));
    }
  }

  /**
   * What the frames `[from, to)`, which are in the order of time, say: of each column a series, which holds until the
   * next is taken. One answer for each time with other databases.
   */
  *decode(frames: CanFrames, from: number, to: number): Generator<Series[]> {
    for (const { fromUs, toUs, decoder, transport, signals } of this.periods) {
      const first = firstAt(frames, from, to, fromUs);
      const end = firstAt(frames, first, to, toUs);
      if (first === end) continue;
      decoder.clear();
      decoder.decode(frames, first, end);
      if (transport.isNeeded) decoder.decode(transport.collect(frames, first, end));
      if (decoder.matched === 0) continue;
      const series = signals.map((signal) => (signal ? decoder.series(signal) : nothing));
      // One message may come in one frame of CAN FD and in several classic ones by turns.
      yield transport.isNeeded ? series.map(inOrder) : series;
    }
  }
}

const eitherOf = (a: Uint8Array, b: Uint8Array): Uint8Array =>
  a === b ? a : a.map((wanted, byte) => wanted | b[byte]);

function periodOf(fromUs: number, toUs: number, columns: readonly (readonly SignalMeaning[])[]): Period {
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
    Array.from(wanted, ([message, signals]) => {
      const carrier = carrierOf(message);
      return {
        message,
        signals: [...signals],
        flags: flagsOf(message),
        isByGroup: carrier === 'j1939' || carrier === 'fast-packet',
      };
    }),
  );
  const transport = new Transport([...wanted.keys()]);
  return { fromUs, toUs, decoder, transport, signals: inForce.map((one) => one?.signal) };
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

/** By time; values of equal times stay as they are. */
function inOrder(series: Series): Series {
  const { count, times, values } = series;
  let at = 1;
  while (at < count && times[at - 1] <= times[at]) at++;
  if (at >= count) return series;
  const order = Array.from({ length: count }, (_, i) => i).sort((a, b) => times[a] - times[b]);
  return {
    ...series,
    times: Float64Array.from(order, (i) => times[i]),
    values: Float64Array.from(order, (i) => values[i]),
  };
}

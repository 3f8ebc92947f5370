import { FRAME_DATA_BYTES_MAX, type CanFrames } from '@fleetlog/shared/can';
import { bytesNeeded, type Message, type Signal } from '../dbc/model.js';
import { bytesOf } from './expression.js';
import { generate, type DecodeFrames } from './generate.js';
import { Matcher } from './match.js';
import { Rows } from './rows.js';

/** The signals of a message that are asked for. */
export interface WantedMessage {
  message: Message;
  signals: readonly Signal[];
  /** Bits of `flags` that frames of this message have; others are parts of it. */
  flags?: number;
  /** The identifier's parameter group decides, whatever the message's format is. */
  isByGroup?: boolean;
}

/** What a signal said. Views that hold until the decoder works on. */
export interface Series {
  count: number;
  /** µs since the Unix epoch, in the order of the frames. */
  times: Float64Array;
  values: Float64Array;
  /** Frames that were too short for the signal; they give no value. */
  tooShort: number;
}

interface Unit {
  run: DecodeFrames;
  groups: Rows[];
}

/** Of each byte of a frame: 1 where a signal, or a multiplexor that it depends on, has bits in it. */
function wantedBytes({ message, signals }: WantedMessage): Uint8Array {
  const byName = new Map(message.signals.map((signal) => [signal.name, signal]));
  const wanted = new Uint8Array(FRAME_DATA_BYTES_MAX);
  for (const asked of signals) {
    let signal: Signal | undefined = asked;
    while (signal) {
      for (const byte of bytesOf(signal)) if (byte < wanted.length) wanted[byte] = 1;
      signal = signal.multiplexing && byName.get(signal.multiplexing.multiplexor);
    }
  }
  return wanted;
}

/** Signals that one generated function decodes; more make it too long to be compiled well. */
const signalsPerUnit = 128;

/**
 * Decodes chosen signals of CAN frames into columns. Frames are gathered by message first, then each message has its
 * own generated loop; nothing is allocated per frame.
 */
export class SignalDecoder {
  /** Frames that belong to one of the messages, of all that were seen since `clear`. */
  matched = 0;
  private readonly matcher: Matcher;
  private readonly units: Unit[][];
  private readonly flags: Uint8Array;
  private readonly wanted: readonly Uint8Array[];
  private readonly columns = new Map<Signal, { rows: Rows; column: number }>();
  private readonly counts: Uint32Array;
  private readonly starts: Uint32Array;
  private messages = new Int32Array(0);
  private rows = new Uint32Array(0);

  constructor(wanted: readonly WantedMessage[]) {
    this.matcher = new Matcher(
      wanted.map(({ message, isByGroup }) => (isByGroup ? { ...message, format: 'j1939' } : message)),
    );
    this.flags = Uint8Array.from(wanted, ({ flags = 0 }) => flags);
    this.wanted = wanted.map(wantedBytes);
    this.counts = new Uint32Array(wanted.length);
    this.starts = new Uint32Array(wanted.length + 1);
    this.units = wanted.map(({ message, signals }) => this.unitsOf(message, signals));
  }

  /** Which bytes of frames with this `canid_t` are looked at; undefined where they are of none of the messages. */
  wants(id: number): Uint8Array | undefined {
    const message = this.messageOf(id);
    return message < 0 ? undefined : this.wanted[message];
  }

  /** Place of the message that frames with this `canid_t` may be of; -1 where there is none. */
  messageOf(id: number): number {
    return this.matcher.find(id);
  }

  /** Adds what the frames `[from, to)` say. Frames whose data are longer than CAN's, put together, will do. */
  decode(frames: CanFrames, from = 0, to = frames.count): void {
    this.gather(frames, from, to);
    const { dataStart, data, timeOffsetUs, baseTimeUs } = frames;
    for (let message = 0; message < this.units.length; message++) {
      const count = this.counts[message];
      if (count === 0) continue;
      const start = this.starts[message];
      for (const { run, groups } of this.units[message]) {
        for (const rows of groups) rows.reserve(count);
        run(this.rows, start, start + count, dataStart, data, timeOffsetUs, baseTimeUs, groups);
      }
    }
  }

  /** Of a signal that was asked for. */
  series(signal: Signal): Series {
    const { rows, column } = this.columns.get(signal)!;
    const { count, times, lengths, shortestBytes } = rows;
    const values = rows.values[column];
    const needed = bytesNeeded(signal);
    if (shortestBytes >= needed) {
      return { count, times: times.subarray(0, count), values: values.subarray(0, count), tooShort: 0 };
    }
    const keptTimes = new Float64Array(count);
    const keptValues = new Float64Array(count);
    let kept = 0;
    for (let i = 0; i < count; i++) {
      if (lengths[i] < needed) continue;
      keptTimes[kept] = times[i];
      keptValues[kept++] = values[i];
    }
    return {
      count: kept,
      times: keptTimes.subarray(0, kept),
      values: keptValues.subarray(0, kept),
      tooShort: count - kept,
    };
  }

  /** Forgets all values; their memory is used again. */
  clear(): void {
    this.matched = 0;
    for (const units of this.units) for (const { groups } of units) for (const rows of groups) rows.clear();
  }

  private unitsOf(message: Message, signals: readonly Signal[]): Unit[] {
    const units: Unit[] = [];
    for (let at = 0; at < signals.length; at += signalsPerUnit) {
      const { run, places, widths } = generate(message, signals.slice(at, at + signalsPerUnit));
      const groups = widths.map((width) => new Rows(width));
      for (const { signal, group, column } of places) {
        this.columns.set(signal, { rows: groups[group], column });
      }
      units.push({ run, groups });
    }
    return units;
  }

  /** Sorts the frames by message: indices of those of message m are `rows[starts[m] … starts[m] + counts[m])`. */
  private gather({ id, flags }: CanFrames, from: number, to: number): void {
    const { counts, starts, matcher, flags: needed } = this;
    if (this.messages.length < to - from) {
      this.messages = new Int32Array(2 * (to - from));
      this.rows = new Uint32Array(2 * (to - from));
    }
    const { messages, rows } = this;
    counts.fill(0);
    for (let i = from; i < to; i++) {
      let message = matcher.find(id[i]);
      if (message >= 0 && (flags[i] & needed[message]) !== needed[message]) message = -1;
      messages[i - from] = message;
      if (message >= 0) counts[message]++;
    }
    let sum = 0;
    for (let message = 0; message < counts.length; message++) {
      starts[message] = sum;
      sum += counts[message];
    }
    this.matched += sum;
    for (let i = from; i < to; i++) {
      const message = messages[i - from];
      if (message >= 0) rows[starts[message]++] = i;
    }
    for (let message = 0; message < counts.length; message++) starts[message] -= counts[message];
  }
}

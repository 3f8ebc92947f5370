import type { Prng } from '../prng.js';
import { quantity } from '../physics/quantities.js';
import type { MessageSpec, SignalSpec } from './description.js';

/** Physics steps that a sensor's delay can reach back. */
export const HISTORY_STEPS = 32;
const STEP_MS = 10;

/** CRC-8 SAE J1850: polynomial 0x1D. */
const crc8 = Uint8Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 0x80 ? ((byte << 1) ^ 0x1d) & 0xff : byte << 1;
  return byte;
});

/** The latest values of all quantities: a ring of `HISTORY_STEPS` rows. */
export interface History {
  rows: readonly Float64Array[];
  /** Row of the newest. */
  newest: number;
}

interface CompiledSignal {
  source: number;
  constant: number;
  delaySteps: number;
  /** raw = value · gain + shift + noise. */
  gain: number;
  shift: number;
  noise: number;
  low: number;
  high: number;
  /** Pieces of the raw value from its lowest bits on: byte, lowest bit in it, bits. */
  pieces: Int32Array;
}

/** Makes the data of one message, with what the sensors of one vehicle do to the truth. */
export class MessageEncoder {
  readonly data: Uint8Array;
  private readonly signals: CompiledSignal[];
  private readonly counter: Int32Array | undefined;
  private readonly counterSteps: number;
  private count: number;

  /** Biases are drawn from `prng` now, noise with each frame. */
  constructor(
    readonly spec: MessageSpec,
    private readonly prng: Prng,
  ) {
    this.data = new Uint8Array(spec.length);
    this.signals = spec.signals.map((signal) => compile(signal, prng));
    const { counter } = spec;
    this.counter = counter && piecesOf(counter);
    this.counterSteps = counter ? 2 ** counter.length : 1;
    this.count = prng.below(this.counterSteps);
  }

  /** Fills `data` from what the sensors know now. */
  encode({ rows, newest }: History): void {
    const { data, signals, prng, spec } = this;
    data.fill(spec.extended ? 0xff : 0); // J1939: what isn't there is all ones
    for (let i = 0; i < signals.length; i++) {
      const s = signals[i];
      const row = rows[(newest - s.delaySteps + HISTORY_STEPS) % HISTORY_STEPS];
      const value = s.source < 0 ? s.constant : row[s.source];
      const noise = s.noise > 0 ? s.noise * prng.gauss() : 0;
      put(data, s.pieces, Math.max(s.low, Math.min(s.high, Math.round(value * s.gain + s.shift + noise))));
    }
    if (this.counter) {
      put(data, this.counter, this.count);
      this.count = (this.count + 1) % this.counterSteps;
    }
    if (spec.checksum) data[spec.checksum.byte] = checksumOf(spec, data);
  }
}

/** The checksum that these data must have. */
export function checksumOf({ id, checksum }: MessageSpec, data: Uint8Array): number {
  let sum = checksum?.kind === 'crc8' ? crc8[crc8[0xff ^ (id & 0xff)] ^ ((id >>> 8) & 0xff)] : 0;
  for (let i = 0; i < data.length; i++) {
    if (i === checksum?.byte) continue;
    sum = checksum?.kind === 'crc8' ? crc8[sum ^ data[i]] : sum ^ data[i];
  }
  return checksum?.kind === 'crc8' ? sum ^ 0xff : sum;
}

function compile(signal: SignalSpec, prng: Prng): CompiledSignal {
  const { from, scale = 1, factor, offset, length, signed, sensor = {} } = signal;
  const bias = sensor.bias ? sensor.bias * prng.gauss() : 0;
  return {
    source: typeof from === 'number' ? -1 : quantity[from],
    constant: typeof from === 'number' ? from : 0,
    delaySteps: Math.min(HISTORY_STEPS - 1, Math.round((sensor.delayMs ?? 0) / STEP_MS)),
    gain: scale / factor,
    shift: (bias - offset) / factor,
    noise: (sensor.noise ?? 0) / factor,
    low: signed ? -(2 ** (length - 1)) : 0,
    high: signed ? 2 ** (length - 1) - 1 : 2 ** length - 1,
    pieces: piecesOf(signal),
  };
}

/** Where the bits of a signal lie, as pieces of bytes, lowest bits first. */
function piecesOf({ start, length, intel }: Pick<SignalSpec, 'start' | 'length' | 'intel'>): Int32Array {
  const bits: number[] = [];
  for (let i = 0, at = start; i < length; i++) {
    bits.push(at);
    if (intel) at++;
    else at = at % 8 === 0 ? at + 15 : at - 1; // sawtooth: down in a byte, then the next byte's top
  }
  if (!intel) bits.reverse();
  const pieces: number[] = [];
  for (let i = 0; i < bits.length;) {
    let count = 1;
    while (i + count < bits.length && bits[i + count] === bits[i] + count && (bits[i] % 8) + count < 8)
      count++;
    pieces.push(bits[i] >>> 3, bits[i] % 8, count);
    i += count;
  }
  return Int32Array.from(pieces);
}

function put(data: Uint8Array, pieces: Int32Array, raw: number): void {
  let rest = raw;
  for (let p = 0; p < pieces.length; p += 3) {
    const byte = pieces[p];
    const low = pieces[p + 1];
    const steps = 1 << pieces[p + 2];
    const above = Math.floor(rest / steps); // also of negative numbers: two's complement
    const mask = (steps - 1) << low;
    data[byte] = (data[byte] & ~mask) | ((rest - above * steps) << low);
    rest = above;
  }
}

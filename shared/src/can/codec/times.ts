import { malformedPayload } from '../../batch/payload.js';
import { TIME_OFFSET_LIMIT_US } from '../frames.js';
import { chooseGrid, chooseUnit } from './time-choice.js';
import {
  contextOf,
  nextScale,
  readNumber,
  readNumberUpTo,
  SCALE_START,
  unzigzag,
  writeNumber,
  zigzag,
} from './numbers.js';
import type { SymbolReader } from './symbol-reader.js';
import type { SymbolWriter } from './symbol-writer.js';
import { SMALL, STEP, TICK, TIME } from './tables.js';

/*
 * times = unit grid { time }
 * unit  = number                      ; µs: all times of the batch are multiples of it, seen from the base
 * grid  = number                      ; units, 0 none: the spacing of the moments at which the source looks
 * time  = number                      ; without grid: zigzag of the difference to the frame before
 *       | 0 number                    ; same tick: difference to the frame before, below half a grid
 *       | rank number                 ; 1 … 6: ticks since the last one, by recency; zigzag of the deviation
 *       | 7 number number             ; zigzag of ticks since the last one, zigzag of the deviation
 */
const SAME = 0;
const RANKS = 6;
const OTHER = 7;
const DEVIATION_FOLLOWED = 16;
export const GRID_MAX = 1 << 20;
export const UNIT_MAX = 1_000_000;

/** What the grid model remembers. Reused from batch to batch. */
export class TickModel {
  /** Numbers of ticks between bursts, latest first. */
  recent = new Int32Array(RANKS);
  /** Of each channel: 1 where its latest frame came in the same tick as the one before it. */
  wasSame = new Uint8Array(0);
  /** Expected moment of the current tick. */
  anchor = 0;

  reset(channels: number): void {
    if (this.wasSame.length < channels) this.wasSame = new Uint8Array(channels);
    this.wasSame.fill(0, 0, channels);
    for (let i = 0; i < RANKS; i++) this.recent[i] = i + 1;
    this.anchor = 0;
  }

  /** Moves the ticks at `at` to the front; `RANKS` stands for new ones, which push out the oldest. */
  note(at: number, ticks: number): void {
    const { recent } = this;
    for (let i = at < RANKS ? at : RANKS - 1; i > 0; i--) recent[i] = recent[i - 1];
    recent[0] = ticks;
  }

  /** The next tick is expected where this one was, if it didn't stray far; jitter is followed by half. */
  follow(expected: number, deviation: number): void {
    const strayed = deviation >= DEVIATION_FOLLOWED || deviation <= -DEVIATION_FOLLOWED;
    this.anchor = expected + (strayed ? deviation : deviation >> 1);
  }
}

/** Writes the time offsets of the frames, whose channels the reader knows by then. */
export function writeTimes(
  out: SymbolWriter,
  model: TickModel,
  offsetUs: Int32Array,
  channelOf: Int32Array,
  count: number,
  channels: number,
): void {
  out.reserve(8 * count + 8);
  const unit = chooseUnit(offsetUs, count);
  const grid = chooseGrid(offsetUs, count, unit);
  writeNumber(out, SMALL, unit);
  writeNumber(out, SMALL, grid);
  if (grid === 0) writeDifferences(out, offsetUs, count, unit);
  else writeTicks(out, model, offsetUs, channelOf, count, channels, unit, grid);
}

/** Reads the time offsets; all are within ± TIME_OFFSET_LIMIT_US. */
export function readTimes(
  input: SymbolReader,
  model: TickModel,
  offsetUs: Int32Array,
  channelOf: Int32Array,
  count: number,
  channels: number,
): void {
  const unit = readNumberUpTo(input, SMALL, UNIT_MAX);
  const grid = readNumberUpTo(input, SMALL, GRID_MAX);
  if (grid === 0) readDifferences(input, offsetUs, count, unit);
  else readTicks(input, model, offsetUs, channelOf, count, channels, unit, grid);
}

function writeDifferences(out: SymbolWriter, offsetUs: Int32Array, count: number, unit: number): void {
  let previous = 0;
  let scale = SCALE_START;
  for (let i = 0; i < count; i++) {
    const time = offsetUs[i] / unit;
    // The unit 1 needs the wrap: a difference can have 33 bits. Greater units don't come near.
    const number = zigzag((time - previous) | 0);
    writeNumber(out, TIME + contextOf(scale), number);
    scale = nextScale(scale, number);
    previous = time;
  }
}

function readDifferences(input: SymbolReader, offsetUs: Int32Array, count: number, unit: number): void {
  let previous = 0;
  let scale = SCALE_START;
  for (let i = 0; i < count; i++) {
    const number = readNumber(input, TIME + contextOf(scale));
    scale = nextScale(scale, number);
    previous = (previous + unzigzag(number)) | 0;
    storeTime(offsetUs, i, previous * unit);
  }
}

function storeTime(offsetUs: Int32Array, i: number, timeUs: number): void {
  if (timeUs > TIME_OFFSET_LIMIT_US || timeUs < -TIME_OFFSET_LIMIT_US) {
    throw malformedPayload('a time is too far from the base');
  }
  offsetUs[i] = timeUs;
}

function writeTicks(
  out: SymbolWriter,
  model: TickModel,
  offsetUs: Int32Array,
  channelOf: Int32Array,
  count: number,
  channels: number,
  unit: number,
  grid: number,
): void {
  model.reset(channels);
  const { recent, wasSame } = model;
  const half = grid >> 1;
  let previous = 0;
  let scale = SCALE_START;
  let same = 0;
  for (let i = 0; i < count; i++) {
    const time = offsetUs[i] / unit;
    const channel = channelOf[i];
    const table = TICK + 2 * same + wasSame[channel];
    const difference = time - previous;
    if (difference >= 0 && difference < half) {
      out.symbol(table, SAME);
      writeNumber(out, STEP + same, difference);
      same = 1;
    } else {
      const ticks = Math.floor((time - model.anchor + half) / grid);
      let rank = 0;
      while (rank < RANKS && recent[rank] !== ticks) rank++;
      out.symbol(table, 1 + rank);
      if (rank === RANKS) writeNumber(out, SMALL, zigzag(ticks));
      model.note(rank, ticks);
      const expected = model.anchor + ticks * grid;
      const deviation = time - expected;
      const number = zigzag(deviation);
      writeNumber(out, TIME + contextOf(scale), number);
      scale = nextScale(scale, number);
      model.follow(expected, deviation);
      same = 0;
    }
    wasSame[channel] = same;
    previous = time;
  }
}

function readTicks(
  input: SymbolReader,
  model: TickModel,
  offsetUs: Int32Array,
  channelOf: Int32Array,
  count: number,
  channels: number,
  unit: number,
  grid: number,
): void {
  model.reset(channels);
  const { recent, wasSame } = model;
  let previous = 0;
  let scale = SCALE_START;
  let same = 0;
  for (let i = 0; i < count; i++) {
    const channel = channelOf[i];
    const symbol = input.symbol(TICK + 2 * same + wasSame[channel]);
    if (symbol === SAME) {
      previous += readNumber(input, STEP + same);
      same = 1;
    } else {
      if (symbol > OTHER) throw malformedPayload('a time has no tick');
      const ticks = symbol === OTHER ? unzigzag(readNumber(input, SMALL)) : recent[symbol - 1];
      model.note(symbol - 1, ticks);
      const expected = model.anchor + ticks * grid;
      const number = readNumber(input, TIME + contextOf(scale));
      scale = nextScale(scale, number);
      const deviation = unzigzag(number);
      model.follow(expected, deviation);
      previous = expected + deviation;
      same = 0;
    }
    wasSame[channel] = same;
    storeTime(offsetUs, i, previous * unit);
  }
}

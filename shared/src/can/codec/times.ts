import { malformedPayload } from '../../batch/payload.js';
import { NumberColumns, readNumber, readNumberUpTo, unzigzag, writeNumber, zigzag } from './numbers.js';
import type { SymbolReader } from './symbol-reader.js';
import type { SymbolWriter } from './symbol-writer.js';
import { DEVIATION, SMALL, TICK } from './tables.js';
import { TIME_OFFSET_LIMIT_US } from '../frames.js';
import { chooseGrid, chooseUnit } from './time-choice.js';

/*
 * times      = unit grid ( deviations | { tick } { number } deviations )
 * unit       = number           ; µs: all offsets from the base are multiples of it
 * grid       = number           ; units between the moments at which the source looks; 0 none
 * tick       = symbol           ; of each frame:
 *              0 … 3            ; in the tick of the frame before, 0 … 3 units later
 *              4                ; in the tick of the frame before, and 4 + number units later
 *              5 … 30           ; 1 … 26 ticks later
 *              31               ; so many ticks later as the zigzag number says
 * number     = number           ; of each tick 4 and 31
 * deviations = numbers          ; zigzag. Without grid of each frame from the frame before; else of each frame that
 *                               ; starts a tick from the moment expected
 */
/* Copies: V8 folds a module's own constants, not imported ones, and the loops below run for each frame. */
const TABLE = TICK;
const LIMIT_US = TIME_OFFSET_LIMIT_US;
const STEPS = 4;
const OTHER = 31;
/** Further strays move the grid at once, others by half. */
const STRAY_MIN = 16;
const GRID_MAX = 1 << 20;
const UNIT_MAX = 1_000_000;

/** Writes and reads the time offsets of frames whose channels are known. Reused from batch to batch. */
export class Times {
  private readonly deviations = new NumberColumns();
  /** Of each channel: 1 where its latest frame came in the tick of the frame before it. */
  private wasSame = new Uint8Array(0);
  /** Ticks of all frames, and the numbers that some of them have. */
  private ticks = new Uint8Array(4096);
  private extra = new Uint32Array(4096);

  write(
    out: SymbolWriter,
    offsetUs: Int32Array,
    channelOf: Int32Array,
    count: number,
    channels: number,
  ): void {
    this.deviations.clear();
    const unit = chooseUnit(offsetUs, count);
    const grid = chooseGrid(offsetUs, count, unit);
    out.reserve(9 * count + 8);
    writeNumber(out, SMALL, unit);
    writeNumber(out, SMALL, grid);
    if (grid === 0) this.writeDifferences(out, offsetUs, count, unit);
    else this.writeTicks(out, offsetUs, channelOf, count, channels, unit, grid);
  }

  /** All offsets that it stores are within ± TIME_OFFSET_LIMIT_US. */
  read(
    input: SymbolReader,
    offsetUs: Int32Array,
    channelOf: Int32Array,
    count: number,
    channels: number,
  ): void {
    const unit = readNumberUpTo(input, SMALL, UNIT_MAX);
    const grid = readNumberUpTo(input, SMALL, GRID_MAX);
    if (grid === 0) this.readDifferences(input, offsetUs, count, unit);
    else this.readTicks(input, offsetUs, channelOf, count, channels, unit, grid);
  }

  private writeDifferences(out: SymbolWriter, offsetUs: Int32Array, count: number, unit: number): void {
    this.deviations.add(count);
    const { values } = this.deviations;
    let previous = 0;
    for (let i = 0; i < count; i++) {
      const time = offsetUs[i] / unit;
      // The unit 1 needs the wrap: a difference can have 33 bits. Those of greater units are far smaller.
      values[i] = (time - previous) | 0;
      previous = time;
    }
    this.deviations.write(out, DEVIATION);
  }

  private readDifferences(input: SymbolReader, offsetUs: Int32Array, count: number, unit: number): void {
    this.deviations.clear();
    this.deviations.add(count);
    this.deviations.read(input, DEVIATION);
    const { values } = this.deviations;
    let time = 0;
    for (let i = 0; i < count; i++) {
      time = (time + values[i]) | 0;
      const timeUs = time * unit;
      if (timeUs > LIMIT_US || timeUs < -LIMIT_US) throw tooFar();
      offsetUs[i] = timeUs;
    }
  }

  private writeTicks(
    out: SymbolWriter,
    offsetUs: Int32Array,
    channelOf: Int32Array,
    count: number,
    channels: number,
    unit: number,
    grid: number,
  ): void {
    this.reset(count, channels);
    const { wasSame, deviations } = this;
    deviations.add(count); // room for as many as there can be
    const { values } = deviations;
    const { extra } = this;
    const half = grid >> 1;
    let extras = 0;
    let starts = 0;
    let previous = 0;
    let anchor = 0;
    let same = 0;
    for (let i = 0; i < count; i++) {
      const time = offsetUs[i] / unit;
      const channel = channelOf[i];
      const table = TABLE + 2 * same + wasSame[channel];
      const difference = time - previous;
      if (difference >= 0 && difference < half) {
        if (difference < STEPS) {
          out.symbol(table, difference);
        } else {
          out.symbol(table, STEPS);
          extra[extras++] = difference - STEPS;
        }
        same = 1;
      } else {
        const ticks = Math.floor((time - anchor + half) / grid);
        if (ticks > 0 && ticks < OTHER - STEPS) {
          out.symbol(table, STEPS + ticks);
        } else {
          out.symbol(table, OTHER);
          extra[extras++] = zigzag(ticks);
        }
        const expected = anchor + ticks * grid;
        const deviation = time - expected;
        values[starts++] = deviation;
        anchor = nextAnchor(expected, deviation);
        same = 0;
      }
      wasSame[channel] = same;
      previous = time;
    }
    for (let i = 0; i < extras; i++) writeNumber(out, SMALL, extra[i]);
    deviations.clear();
    deviations.add(starts);
    deviations.write(out, DEVIATION);
  }

  private readTicks(
    input: SymbolReader,
    offsetUs: Int32Array,
    channelOf: Int32Array,
    count: number,
    channels: number,
    unit: number,
    grid: number,
  ): void {
    this.reset(count, channels);
    const { wasSame, ticks, extra } = this;
    let starts = 0;
    let same = 0;
    for (let i = 0; i < count; i++) {
      const channel = channelOf[i];
      const tick = input.symbol(TABLE + 2 * same + wasSame[channel]);
      ticks[i] = tick;
      same = (tick - STEPS - 1) >>> 31; // 1 up to STEPS; a branch would be taken every other time
      starts += 1 - same;
      wasSame[channel] = same;
    }
    let extras = 0;
    for (let i = 0; i < count; i++) {
      if (ticks[i] === STEPS || ticks[i] === OTHER) extra[extras++] = readNumber(input, SMALL);
    }
    this.deviations.clear();
    this.deviations.add(starts);
    this.deviations.read(input, DEVIATION);
    const { values } = this.deviations;
    let time = 0;
    let anchor = 0;
    let start = 0;
    extras = 0;
    for (let i = 0; i < count; i++) {
      const tick = ticks[i];
      if (tick <= STEPS) {
        time += tick < STEPS ? tick : STEPS + extra[extras++];
      } else {
        const later = tick === OTHER ? unzigzag(extra[extras++]) : tick - STEPS;
        const expected = anchor + later * grid;
        const deviation = values[start++];
        time = expected + deviation;
        anchor = nextAnchor(expected, deviation);
      }
      const timeUs = time * unit;
      if (timeUs > LIMIT_US || timeUs < -LIMIT_US) throw tooFar();
      offsetUs[i] = timeUs;
    }
  }

  private reset(count: number, channels: number): void {
    if (this.ticks.length < count) {
      this.ticks = new Uint8Array(2 * count);
      this.extra = new Uint32Array(2 * count);
    }
    if (this.wasSame.length < channels) this.wasSame = new Uint8Array(2 * channels);
    this.wasSame.fill(0, 0, channels);
  }
}

function nextAnchor(expected: number, deviation: number): number {
  return expected + (deviation >= STRAY_MIN || deviation <= -STRAY_MIN ? deviation : deviation >> 1);
}

const tooFar = (): Error => malformedPayload('a time is too far from the base');

import { malformedPayload } from '../../batch/payload.js';
import { NumberColumns, readNumber, readNumberUpTo, unzigzag, writeNumber, zigzag } from './numbers.js';
import type { SymbolReader } from './symbol-reader.js';
import type { SymbolWriter } from './symbol-writer.js';
import { DEVIATION, SMALL, TICK } from './tables.js';
import { TIME_OFFSET_LIMIT_US } from '../frames.js';
import { chooseGrid, chooseUnit } from './time-choice.js';

/*
 * times      = unit grid ( deviations | { tick } deviations )
 * unit       = number           ; µs: all offsets from the base are multiples of it
 * grid       = number           ; units between the moments at which the source looks; 0 none
 * tick       = symbol [ number ]
 *              0 … 3            ; in the tick of the frame before, 0 … 3 units later
 *              4                ; in the tick of the frame before, and 4 + number units later
 *              5 … 10           ; so many ticks later as `recent` says, counted from the latest
 *              11               ; so many ticks later as the zigzag number says
 * deviations = numbers          ; zigzag. Without grid of each frame from the frame before; else of each frame that
 *                               ; starts a tick from the moment expected
 */
/* A copy: V8 folds a module's own constants, not imported ones, and the loops below run for each frame. */
const TABLE = TICK;
const LIMIT_US = TIME_OFFSET_LIMIT_US;
const STEPS = 4;
const RANKS = 6;
const OTHER = 1 + STEPS + RANKS;
/** Further strays move the grid at once, others by half. */
const STRAY_MIN = 16;
const GRID_MAX = 1 << 20;
const UNIT_MAX = 1_000_000;

/** Writes and reads the time offsets of frames whose channels are known. Reused from batch to batch. */
export class Times {
  private readonly deviations = new NumberColumns();
  /** Numbers of ticks from one burst to the next, the latest first. */
  private readonly recent = new Int32Array(RANKS);
  /** Of each channel: 1 where its latest frame came in the tick of the frame before it. */
  private wasSame = new Uint8Array(0);
  /** Of each frame that is read: 1 in the tick of the frame before, and units, else ticks, later. */
  private isSame = new Uint8Array(0);
  private later = new Int32Array(0);

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
    out.reserve(10 * count + 8);
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
    this.reset(channels);
    const { recent, wasSame, deviations } = this;
    deviations.add(count); // room for as many as there can be
    const { values } = deviations;
    const half = grid >> 1;
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
          writeNumber(out, SMALL, difference - STEPS);
        }
        same = 1;
      } else {
        const ticks = Math.floor((time - anchor + half) / grid);
        let rank = 0;
        while (rank < RANKS && recent[rank] !== ticks) rank++;
        out.symbol(table, 1 + STEPS + rank);
        if (rank === RANKS) writeNumber(out, SMALL, zigzag(ticks));
        this.note(rank, ticks);
        const expected = anchor + ticks * grid;
        const deviation = time - expected;
        values[starts++] = deviation;
        anchor = nextAnchor(expected, deviation);
        same = 0;
      }
      wasSame[channel] = same;
      previous = time;
    }
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
    this.reset(channels);
    if (this.later.length < count) {
      this.later = new Int32Array(2 * count);
      this.isSame = new Uint8Array(2 * count);
    }
    const { recent, wasSame, isSame, later } = this;
    let starts = 0;
    let same = 0;
    for (let i = 0; i < count; i++) {
      const channel = channelOf[i];
      const symbol = input.symbol(TABLE + 2 * same + wasSame[channel]);
      if (symbol <= STEPS) {
        later[i] = symbol < STEPS ? symbol : STEPS + readNumber(input, SMALL);
        same = 1;
      } else {
        if (symbol > OTHER) throw malformedPayload('a time has no tick');
        const ticks = symbol === OTHER ? unzigzag(readNumber(input, SMALL)) : recent[symbol - STEPS - 1];
        this.note(symbol - STEPS - 1, ticks);
        later[i] = ticks;
        starts++;
        same = 0;
      }
      isSame[i] = same;
      wasSame[channel] = same;
    }
    this.deviations.clear();
    this.deviations.add(starts);
    this.deviations.read(input, DEVIATION);
    const { values } = this.deviations;
    let time = 0;
    let anchor = 0;
    let start = 0;
    for (let i = 0; i < count; i++) {
      if (isSame[i] === 1) {
        time += later[i];
      } else {
        const expected = anchor + later[i] * grid;
        const deviation = values[start++];
        time = expected + deviation;
        anchor = nextAnchor(expected, deviation);
      }
      const timeUs = time * unit;
      if (timeUs > LIMIT_US || timeUs < -LIMIT_US) throw tooFar();
      offsetUs[i] = timeUs;
    }
  }

  private reset(channels: number): void {
    if (this.wasSame.length < channels) this.wasSame = new Uint8Array(2 * channels);
    this.wasSame.fill(0, 0, channels);
    for (let i = 0; i < RANKS; i++) this.recent[i] = i + 1;
  }

  /** Moves what is at `rank` to the front; RANKS stands for a new one, which pushes out the oldest. */
  private note(rank: number, ticks: number): void {
    const { recent } = this;
    for (let i = rank < RANKS ? rank : RANKS - 1; i > 0; i--) recent[i] = recent[i - 1];
    recent[0] = ticks;
  }
}

function nextAnchor(expected: number, deviation: number): number {
  return expected + (deviation >= STRAY_MIN || deviation <= -STRAY_MIN ? deviation : deviation >> 1);
}

const tooFar = (): Error => malformedPayload('a time is too far from the base');

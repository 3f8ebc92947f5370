import {
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  FRAME_DATA_BYTES_MAX,
  FRAME_FD,
  type CanFrames,
} from '@fleetlog/shared/can';
import { fastBits, nominalBits, StuffBits } from './frame-bits.js';

/** Identifiers that are kept apart; frames of more are counted together. */
export const IDS_MAX = 2048;
/** Buses of one stream that are kept apart; the last one stands for all further ones. */
const BUSES_MAX = 4;
/** A power of two. */
const SLOTS = 2 * IDS_MAX;
/** What a bus's load is measured over, and an identifier's rate. */
const LOAD_SPAN_US = 1e6;
const RATE_SPAN_US = 5e6;
/** Readings are repeated while the writer writes; it takes well below a millisecond. */
const READS_MAX = 10_000;

/** What was heard on one bus since the gateway's start. */
export interface BusTraffic {
  bus: string;
  frames: number;
  remoteFrames: number;
  errorFrames: number;
  fdFrames: number;
  /** Within the last whole second in which something came. */
  framesPerSecond: number;
  /** Bits on the wire in that second, stuff bits included: at the bus's rate, and at the rate for data. */
  bitsPerSecond: number;
  fastBitsPerSecond: number;
}

/** One identifier of one bus. */
export interface IdTraffic {
  bus: string;
  /** With the bits of `canid_t`. */
  id: number;
  frames: number;
  /** Within five seconds. */
  framesPerSecond: number;
  /** Event time of the last frame, µs. */
  lastTimeUs: number;
  /** Its raw data length code, FRAME_… flags, and data. */
  dlc: number;
  flags: number;
  data: Uint8Array;
}

const words = { version: 0, ids: 1, buses: 2 } as const;
const perBus = {
  frames: 0,
  remote: 1,
  errors: 2,
  fd: 3,
  /** Of the second that runs. */
  startUs: 4,
  nowFrames: 5,
  nowBits: 6,
  nowFast: 7,
  /** Of the last whole one. */
  lastFrames: 8,
  lastBits: 9,
  lastFast: 10,
  rateStartUs: 11,
  /** 1 as soon as identifiers have rates over a whole span. */
  hasRates: 12,
  firstUs: 13,
  lastUs: 14,
  heardUs: 15,
} as const;
const BUS_FIELDS = 16;

/**
 * Counts what is in CAN frames, batch by batch: a few typed-array stores per frame, nothing allocated. It lies in shared
 * memory: one thread adds, and another reads whenever somebody asks.
 */
export class CanStatistics {
  /** For another thread, which adds with `new CanStatistics(names, memory)`. */
  readonly memory: SharedArrayBuffer;
  private readonly words: Int32Array;
  private readonly bus: Float64Array;
  private readonly frames: Float64Array;
  private readonly lastUs: Float64Array;
  private readonly rate: Float64Array;
  private readonly spanFrames: Uint32Array;
  private readonly ids: Uint32Array;
  private readonly slots: Uint16Array;
  private readonly busOf: Uint8Array;
  private readonly stuff: Uint8Array;
  private readonly fastStuff: Uint8Array;
  private readonly dlc: Uint8Array;
  private readonly flags: Uint8Array;
  private readonly length: Uint8Array;
  private readonly data: Uint8Array;
  /** The writer's own: index of each identifier's last frame in the batch, -1 where it had none. */
  private readonly lastIndex = new Int32Array(IDS_MAX).fill(-1);
  private readonly busOfBatch = new Uint8Array(256);
  private readonly stuffBits = new StuffBits();

  constructor(
    /** Names of the buses as they are met; a reader in another thread has to know them. */
    private readonly names: string[] = [],
    memory?: SharedArrayBuffer,
  ) {
    let at = 0;
    const place = (bytes: number): number => {
      const start = at;
      at += (bytes + 7) & ~7;
      return start;
    };
    const offsets = {
      words: place(4 * 4),
      bus: place(8 * BUS_FIELDS * BUSES_MAX),
      frames: place(8 * IDS_MAX),
      lastUs: place(8 * IDS_MAX),
      rate: place(8 * IDS_MAX),
      spanFrames: place(4 * IDS_MAX),
      ids: place(4 * IDS_MAX),
      slots: place(2 * SLOTS),
      bytes: place(6 * IDS_MAX),
      data: place(FRAME_DATA_BYTES_MAX * IDS_MAX),
    };
    this.memory = memory ?? new SharedArrayBuffer(at);
    const bytes = (i: number): Uint8Array =>
      new Uint8Array(this.memory, offsets.bytes + i * IDS_MAX, IDS_MAX);
    this.words = new Int32Array(this.memory, offsets.words, 4);
    this.bus = new Float64Array(this.memory, offsets.bus, BUS_FIELDS * BUSES_MAX);
    this.frames = new Float64Array(this.memory, offsets.frames, IDS_MAX);
    this.lastUs = new Float64Array(this.memory, offsets.lastUs, IDS_MAX);
    this.rate = new Float64Array(this.memory, offsets.rate, IDS_MAX);
    this.spanFrames = new Uint32Array(this.memory, offsets.spanFrames, IDS_MAX);
    this.ids = new Uint32Array(this.memory, offsets.ids, IDS_MAX);
    this.slots = new Uint16Array(this.memory, offsets.slots, SLOTS);
    this.busOf = bytes(0);
    this.stuff = bytes(1);
    this.fastStuff = bytes(2);
    this.dlc = bytes(3);
    this.flags = bytes(4);
    this.length = bytes(5);
    this.data = new Uint8Array(this.memory, offsets.data, FRAME_DATA_BYTES_MAX * IDS_MAX);
    this.words[words.buses] = names.length;
  }

  /** Counts a batch; `heardUs` is monotonic. */
  add(batch: CanFrames, heardUs: number): void {
    // Odd while it writes; also behind a writer that died in the middle.
    const version = Atomics.load(this.words, words.version) | 1;
    Atomics.store(this.words, words.version, version);
    this.nameBuses(batch.buses);
    for (let i = 0; i < batch.count;) i = this.addRun(batch, i, heardUs);
    this.keepLast(batch);
    Atomics.store(this.words, words.version, (version + 1) | 0);
  }

  private nameBuses(buses: readonly string[]): void {
    const { names } = this;
    for (let i = 0; i < buses.length; i++) {
      let at = names.indexOf(buses[i]);
      if (at < 0) at = names.length < BUSES_MAX ? names.push(buses[i]) - 1 : BUSES_MAX - 1;
      this.busOfBatch[i] = at;
    }
    this.words[words.buses] = names.length;
  }

  /** Counts frames from `first` on as long as bus and second stay the same; returns where it stopped. */
  private addRun(batch: CanFrames, first: number, heardUs: number): number {
    const { bus, stuff, fastStuff, frames, spanFrames, lastIndex, busOfBatch } = this;
    const { count, baseTimeUs, timeOffsetUs, dataStart } = batch;
    const which = busOfBatch[batch.bus[first]];
    const at = which * BUS_FIELDS;
    this.enterSecond(which, baseTimeUs + timeOffsetUs[first]);
    const startUs = bus[at + perBus.startUs];
    let i = first;
    let heard = 0;
    let errors = 0;
    let remote = 0;
    let fd = 0;
    let bits = 0;
    let fast = 0;
    let timeUs = startUs;
    for (; i < count; i++) {
      const nextUs = baseTimeUs + timeOffsetUs[i];
      if (nextUs < startUs || nextUs >= startUs + LOAD_SPAN_US || busOfBatch[batch.bus[i]] !== which) break;
      timeUs = nextUs;
      const id = batch.id[i];
      if (id & CAN_ERR_FLAG) {
        errors++;
        continue;
      }
      const flags = batch.flags[i];
      const length = dataStart[i + 1] - dataStart[i];
      heard++;
      if (id & CAN_RTR_FLAG) remote++;
      if (flags & FRAME_FD) fd++;
      bits += nominalBits(id, flags, length);
      fast += fastBits(flags, length);
      const known = this.indexOf(id, which);
      if (known < 0) continue;
      // Stuff bits are those of the identifier's last frame in the batch before: one by one would cost too much.
      if (frames[known] === 0) this.keep(known, batch, i);
      bits += stuff[known];
      fast += fastStuff[known];
      frames[known]++;
      spanFrames[known]++;
      lastIndex[known] = i;
    }
    bus[at + perBus.heardUs] = heardUs;
    bus[at + perBus.lastUs] = timeUs;
    bus[at + perBus.frames] += heard;
    bus[at + perBus.errors] += errors;
    bus[at + perBus.remote] += remote;
    bus[at + perBus.fd] += fd;
    bus[at + perBus.nowFrames] += heard;
    bus[at + perBus.nowBits] += bits;
    bus[at + perBus.nowFast] += fast;
    return i;
  }

  private enterSecond(which: number, timeUs: number): void {
    const { bus } = this;
    const at = which * BUS_FIELDS;
    if (bus[at + perBus.frames] + bus[at + perBus.errors] === 0) {
      bus[at + perBus.firstUs] = bus[at + perBus.startUs] = bus[at + perBus.rateStartUs] = timeUs;
    }
    const startUs = bus[at + perBus.startUs];
    if (timeUs >= startUs && timeUs < startUs + LOAD_SPAN_US) return;
    this.endSecond(at, timeUs);
    const rateUs = timeUs - bus[at + perBus.rateStartUs];
    if (rateUs >= RATE_SPAN_US || rateUs < 0) this.endSpan(which, timeUs);
  }

  /** Where an identifier is kept; -1 where there is no room for another. */
  private indexOf(id: number, bus: number): number {
    const { slots, ids, busOf } = this;
    let slot = (Math.imul(id ^ (bus << 20), 0x9e37_79b1) >>> 16) & (SLOTS - 1);
    for (let at = slots[slot]; at !== 0; at = slots[slot]) {
      if (ids[at - 1] === id && busOf[at - 1] === bus) return at - 1;
      slot = (slot + 1) & (SLOTS - 1);
    }
    const index = this.words[words.ids];
    if (index === IDS_MAX) return -1;
    this.words[words.ids] = index + 1;
    slots[slot] = index + 1;
    ids[index] = id;
    busOf[index] = bus;
    return index;
  }

  /** A whole second without a frame in between counts as one: it was silent. */
  private endSecond(at: number, timeUs: number): void {
    const { bus } = this;
    const wasSilent = timeUs - bus[at + perBus.startUs] >= 2 * LOAD_SPAN_US;
    const stepsBack = timeUs < bus[at + perBus.startUs];
    if (!stepsBack) {
      bus[at + perBus.lastFrames] = wasSilent ? 0 : bus[at + perBus.nowFrames];
      bus[at + perBus.lastBits] = wasSilent ? 0 : bus[at + perBus.nowBits];
      bus[at + perBus.lastFast] = wasSilent ? 0 : bus[at + perBus.nowFast];
    }
    bus[at + perBus.startUs] = wasSilent || stepsBack ? timeUs : bus[at + perBus.startUs] + LOAD_SPAN_US;
    bus[at + perBus.nowFrames] = bus[at + perBus.nowBits] = bus[at + perBus.nowFast] = 0;
  }

  private endSpan(which: number, timeUs: number): void {
    const { bus, rate, spanFrames, busOf } = this;
    const at = which * BUS_FIELDS;
    const spanUs = timeUs - bus[at + perBus.rateStartUs];
    const isWhole = spanUs > 0 && spanUs < 2 * RATE_SPAN_US;
    for (let i = 0; i < this.words[words.ids]; i++) {
      if (busOf[i] !== which) continue;
      rate[i] = isWhole ? (spanFrames[i] * 1e6) / spanUs : 0;
      spanFrames[i] = 0;
    }
    bus[at + perBus.rateStartUs] = timeUs;
    bus[at + perBus.hasRates] = 1;
  }

  /** Once per batch and identifier: its last frame. */
  private keepLast(batch: CanFrames): void {
    const { lastIndex } = this;
    for (let at = 0; at < this.words[words.ids]; at++) {
      const i = lastIndex[at];
      if (i < 0) continue;
      lastIndex[at] = -1;
      this.keep(at, batch, i);
    }
  }

  private keep(at: number, batch: CanFrames, i: number): void {
    const { data, stuffBits } = this;
    const start = batch.dataStart[i];
    const length = batch.dataStart[i + 1] - start;
    this.lastUs[at] = batch.baseTimeUs + batch.timeOffsetUs[i];
    this.dlc[at] = batch.dlc[i];
    this.flags[at] = batch.flags[i];
    this.length[at] = length;
    for (let b = 0; b < length; b++) data[at * FRAME_DATA_BYTES_MAX + b] = batch.data[start + b];
    stuffBits.measure(this.ids[at], this.flags[at], this.dlc[at], batch.data, start, length);
    this.stuff[at] = stuffBits.nominal;
    this.fastStuff[at] = stuffBits.fast;
  }

  /** What is known of each bus. On a bus that has been silent for `silentUs` by the monotonic clock the rates are 0. */
  buses(nowUs: number, silentUs = 3e6): BusTraffic[] {
    return this.read(() => {
      const { bus, names } = this;
      return Array.from({ length: this.words[words.buses] }, (_, which) => {
        const at = which * BUS_FIELDS;
        const isSilent = nowUs - bus[at + perBus.heardUs] > silentUs;
        return {
          bus: names[which],
          frames: bus[at + perBus.frames],
          remoteFrames: bus[at + perBus.remote],
          errorFrames: bus[at + perBus.errors],
          fdFrames: bus[at + perBus.fd],
          framesPerSecond: isSilent ? 0 : bus[at + perBus.lastFrames],
          bitsPerSecond: isSilent ? 0 : bus[at + perBus.lastBits],
          fastBitsPerSecond: isSilent ? 0 : bus[at + perBus.lastFast],
        };
      });
    });
  }

  /** What is known of each identifier, by bus and number. */
  identifiers(nowUs: number, silentUs = 2 * RATE_SPAN_US): IdTraffic[] {
    const found = this.read(() =>
      Array.from({ length: this.words[words.ids] }, (_, i) => {
        const start = i * FRAME_DATA_BYTES_MAX;
        return {
          bus: this.names[this.busOf[i]],
          id: this.ids[i],
          frames: this.frames[i],
          framesPerSecond: this.rateOf(i, nowUs, silentUs),
          lastTimeUs: this.lastUs[i],
          dlc: this.dlc[i],
          flags: this.flags[i],
          data: this.data.slice(start, start + this.length[i]),
        };
      }),
    );
    return found.sort((a, b) => (a.bus === b.bus ? a.id - b.id : a.bus < b.bus ? -1 : 1));
  }

  private rateOf(i: number, nowUs: number, silentUs: number): number {
    const { bus } = this;
    const at = this.busOf[i] * BUS_FIELDS;
    if (nowUs - bus[at + perBus.heardUs] > silentUs) return 0;
    if (bus[at + perBus.hasRates] === 1) return this.rate[i];
    const sinceUs = bus[at + perBus.lastUs] - bus[at + perBus.firstUs];
    return sinceUs > 0 ? (this.frames[i] * 1e6) / sinceUs : 0;
  }

  /** Repeats a reading that the writer was in the middle of. */
  private read<T>(look: () => T): T {
    for (let tries = 0; ; tries++) {
      const before = Atomics.load(this.words, words.version);
      const isWriting = before % 2 !== 0;
      if (isWriting && tries < READS_MAX) continue;
      const result = look();
      if (Atomics.load(this.words, words.version) === before || tries >= READS_MAX) return result;
    }
  }
}

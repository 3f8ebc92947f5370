import {
  integerPart,
  joinKey,
  openRocksDb,
  prefixRange,
  textPart,
  type OrderedStore,
  type StoreOperation,
} from '@fleetlog/shared/store';
import { Block, blockCells, type KeptCell } from './block.js';

/*
 * format = 'f' 0                                          ; which index the revisions are of
 * signal = 's' 0 gateway 0 stream 0 name 0                ; JSON, see KeptSignal
 * block  = 'b' 0 number[8] step[8] place[8]               ; see block.ts; step in µs, place in time, in blocks
 */
const formatVersion = 1;
const formatKey = textPart('f');
const blocksPrefix = textPart('b');
const signalsPrefix = textPart('s');
/** Place of the block that begins in 1970: times before it sort, too. */
const place1970 = 2 ** 40;

/** A signal whose cells are kept. */
export interface KeptSignal {
  gateway: string;
  stream: string;
  name: string;
  /** What says what the records mean; with another one, the cells are of no use. */
  meaning: string;
  number: number;
  /** When it was asked for last, ms since the Unix epoch. */
  askedMs: number;
  /** Of its blocks. */
  bytes: number;
}

export interface RollupStoreOptions {
  path: string;
  /** Id of the index whose revisions are kept. */
  indexId: string;
  bytesMax: number;
}

/**
 * Keeps cells of signals within a limit of bytes: over it, what wasn't asked for the longest goes. All of it can be made
 * again from the log, so nothing here is ever synced. Errors: those of the store.
 */
export class RollupStore {
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly store: OrderedStore,
    private readonly signals: Map<string, KeptSignal>,
    private readonly bytesMax: number,
    private next: number,
  ) {}

  /** A folder that was made with another index is emptied. */
  static async open({ path, indexId, bytesMax }: RollupStoreOptions): Promise<RollupStore> {
    const store = await openRocksDb({ path, purpose: 'rollups folder', writeBufferBytes: 4 * 1024 * 1024 });
    const format = JSON.stringify({ version: formatVersion, indexId });
    const stored = await store.get(formatKey);
    if (!stored || Buffer.from(stored).toString() !== format) {
      const everything = { gte: Uint8Array.of(0), lt: Uint8Array.of(0xff) };
      await store.write([
        { type: 'delete-range', ...everything },
        { type: 'put', key: formatKey, value: Buffer.from(format) },
      ]);
    }
    const signals = new Map<string, KeptSignal>();
    let next = 1;
    for await (const { value } of store.entries(prefixRange(signalsPrefix))) {
      const signal = JSON.parse(Buffer.from(value).toString()) as KeptSignal;
      signals.set(nameOf(signal), signal);
      next = Math.max(next, signal.number + 1);
    }
    return new RollupStore(store, signals, bytesMax, next);
  }

  /** The signals that are kept, the one that was asked for last first. */
  get kept(): readonly Readonly<KeptSignal>[] {
    return [...this.signals.values()].sort((a, b) => b.askedMs - a.askedMs);
  }

  get bytes(): number {
    let bytes = 0;
    for (const signal of this.signals.values()) bytes += signal.bytes;
    return bytes;
  }

  /** A signal that is asked for, or listed: its cells are kept from now on. */
  ask(signal: Pick<KeptSignal, 'gateway' | 'stream' | 'name' | 'meaning' | 'askedMs'>): Promise<KeptSignal> {
    return this.inTurn(async () => {
      const known = this.signals.get(nameOf(signal));
      if (known?.meaning === signal.meaning) {
        known.askedMs = Math.max(known.askedMs, signal.askedMs);
        return known;
      }
      if (known) await this.drop(known);
      const { gateway, stream, name, meaning, askedMs } = signal;
      const added = { gateway, stream, name, meaning, askedMs, number: this.next++, bytes: 0 };
      this.signals.set(nameOf(added), added);
      await this.store.write([{ type: 'put', key: signalKey(added), value: valueOf(added) }]);
      return added;
    });
  }

  /** The blocks of cells of `stepUs` that begin at these times. */
  async blocks({ number }: KeptSignal, stepUs: number, startsUs: readonly number[]): Promise<Block[]> {
    const values = await this.store.getMany(startsUs.map((startUs) => blockKey(number, stepUs, startUs)));
    return values.map((value) => new Block(value));
  }

  /** Adds cells to blocks, by the blocks' begin. A signal that was dropped meanwhile isn't kept again. */
  put(signal: KeptSignal, stepUs: number, cells: ReadonlyMap<number, readonly KeptCell[]>): Promise<void> {
    return this.inTurn(async () => {
      if (this.signals.get(nameOf(signal)) !== signal) return;
      const keys = Array.from(cells.keys(), (startUs) => blockKey(signal.number, stepUs, startUs));
      const before = await this.store.getMany(keys);
      const operations: StoreOperation[] = [];
      for (const [i, some] of [...cells.values()].entries()) {
        const block = new Block(before[i]);
        for (const cell of some) block.set(cell);
        const value = block.stored();
        signal.bytes += value.length - (before[i]?.length ?? -keys[i].length);
        operations.push({ type: 'put', key: keys[i], value });
      }
      operations.push({ type: 'put', key: signalKey(signal), value: valueOf(signal) });
      await this.store.write(operations);
      await this.trim();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.turn;
    await this.store.close();
  }

  private async trim(): Promise<void> {
    while (this.bytes > this.bytesMax) await this.drop(this.kept[this.signals.size - 1]);
  }

  private async drop(signal: Readonly<KeptSignal>): Promise<void> {
    this.signals.delete(nameOf(signal));
    await this.store.write([
      { type: 'delete', key: signalKey(signal) },
      { type: 'delete-range', ...prefixRange(joinKey(blocksPrefix, integerPart(signal.number))) },
    ]);
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => undefined); // whoever asked for it gets the error
    return result;
  }
}

type Named = Pick<KeptSignal, 'gateway' | 'stream' | 'name'>;

const nameOf = ({ gateway, stream, name }: Named): string => `${gateway}/${stream}/${name}`;

const signalKey = ({ gateway, stream, name }: Named): Uint8Array =>
  joinKey(signalsPrefix, textPart(gateway), textPart(stream), Buffer.from(`${name}\0`));

const valueOf = (signal: KeptSignal): Uint8Array => Buffer.from(JSON.stringify(signal));

const blockKey = (number: number, stepUs: number, startUs: number): Uint8Array =>
  joinKey(
    blocksPrefix,
    integerPart(number),
    integerPart(stepUs),
    integerPart(place1970 + Math.round(startUs / (stepUs * blockCells))),
  );

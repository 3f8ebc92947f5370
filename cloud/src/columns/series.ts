import { CanFrames } from '@fleetlog/shared/can';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { minuteUs } from '../index/changes.js';
import type { Index } from '../index/index.js';
import type { PlannedStream, TimeRange } from '../query/plan.js';
import type { Series } from '../signals/decode/decoder.js';
import { framesOf, type Column } from './column.js';
import { wholeMinutes, type ColumnStore } from './store.js';

/** Minutes whose revisions are asked for together. */
const stretchUs = 24 * 60 * minuteUs;

/** A part of a range. */
interface Part extends TimeRange {
  /** Whether all its minutes are kept by identifier, and hold. */
  isKept: boolean;
}

type Wanted = Pick<PlannedStream, 'gateway' | 'stream' | 'decoder'>;

/** Reads minutes that are kept by identifier, in the place of all batches. */
export class ColumnReader {
  /** Identifiers that are wanted, of those that the stream has. */
  private readonly ids: readonly number[];
  private readonly frames: CanFrames[];
  /** Of how many identifiers these are the wanted ones. */
  private readonly known: number;

  private constructor(
    private readonly store: ColumnStore,
    private readonly wanted: Wanted,
  ) {
    const { gateway, stream, decoder } = wanted;
    const ids = store.stream(gateway, stream)?.ids ?? [];
    this.known = [...ids].length;
    this.ids = [...ids].filter((id) => decoder.wants(id));
    this.frames = this.ids.map(() => new CanFrames());
  }

  /** Undefined where what it would give may not be the same as what all batches give. */
  static of(store: ColumnStore | undefined, wanted: Wanted): ColumnReader | undefined {
    const { gateway, stream, decoder } = wanted;
    if (!store?.stream(gateway, stream) || !decoder.isOfSingleFrames) return undefined;
    const reader = new ColumnReader(store, wanted);
    return decoder.areSeparate(reader.ids) ? reader : undefined;
  }

  /** The range in parts, by time. */
  async *parts(index: Index, range: TimeRange): AsyncGenerator<Part> {
    const { gateway, stream } = this.wanted;
    const whole = wholeMinutes(range);
    if (whole.fromUs >= whole.toUs) {
      yield { ...range, isKept: false };
      return;
    }
    let part: Part = { fromUs: range.fromUs, toUs: whole.fromUs, isKept: false };
    for (let fromUs = whole.fromUs; fromUs < whole.toUs; fromUs += stretchUs) {
      const toUs = Math.min(whole.toUs, fromUs + stretchUs);
      const revisions = await index.revisions({ gateway, stream, fromUs, toUs });
      for (const [i, revision] of revisions.entries()) {
        const startUs = fromUs + i * minuteUs;
        const isKept = revision !== 0 && this.revisionOf(startUs) === revision;
        if (isKept !== part.isKept) {
          if (part.fromUs < part.toUs) yield part;
          part = { fromUs: startUs, toUs: startUs, isKept };
        }
        part.toUs = startUs + minuteUs;
      }
    }
    if (part.isKept) {
      yield part;
      part = { fromUs: whole.toUs, toUs: whole.toUs, isKept: false };
    }
    part.toUs = range.toUs;
    if (part.fromUs < part.toUs) yield part;
  }

  /**
   * What the kept minutes `[fromUs, toUs)` say, minute by minute; undefined for one that has changed or gone since it was
   * asked for.
   */
  async *series({
    fromUs,
    toUs,
  }: TimeRange): AsyncGenerator<{ startUs: number; series: Iterable<Series[]> | undefined }> {
    const { gateway, stream, decoder } = this.wanted;
    const heads = this.ids.map(
      (id) => new ColumnHead(this.store.columns(gateway, stream, id, { fromUs, toUs })),
    );
    let isRead = true;
    try {
      for (let startUs = fromUs; startUs < toUs; startUs += minuteUs) {
        const revision = this.revisionOf(startUs);
        const found: CanFrames[] | undefined = isRead ? await this.read(heads, startUs) : undefined;
        isRead = found !== undefined;
        const holds = revision !== undefined && this.revisionOf(startUs) === revision && this.knowsAll;
        yield { startUs, series: found && holds ? decoder.decodeSeparate(found) : undefined };
      }
    } finally {
      for (const head of heads) await head.close();
    }
  }

  /** The wanted frames of a minute; undefined where the store doesn't read: the log has them, too. */
  private async read(heads: readonly ColumnHead[], startUs: number): Promise<CanFrames[] | undefined> {
    const found: CanFrames[] = [];
    try {
      for (const [i, head] of heads.entries()) {
        const column = await head.at(startUs);
        if (column) found.push(framesOf(column, this.wanted.decoder.wants, this.frames[i]));
      }
    } catch (error) {
      if (isFleetlogError(error)) return undefined;
      throw error;
    }
    return found;
  }

  /** Whether no identifier came that nobody knew of when this began. */
  private get knowsAll(): boolean {
    const { gateway, stream } = this.wanted;
    return this.store.stream(gateway, stream)?.ids.size === this.known;
  }

  private revisionOf(startUs: number): number | undefined {
    const { gateway, stream } = this.wanted;
    return this.store.stream(gateway, stream)?.minutes.get(startUs)?.revision;
  }
}

/** The columns of one identifier, minute by minute. */
class ColumnHead {
  private next: (Column & { startUs: number }) | undefined;
  private isDone = false;

  constructor(private readonly columns: AsyncGenerator<Column & { startUs: number }>) {}

  /** That of this minute; those before it are passed over. */
  async at(startUs: number): Promise<Column | undefined> {
    while (!this.isDone && (this.next?.startUs ?? -Infinity) < startUs) {
      const { done, value } = await this.columns.next();
      this.isDone = done === true;
      this.next = done ? undefined : value;
    }
    return this.next?.startUs === startUs ? this.next : undefined;
  }

  async close(): Promise<void> {
    await this.columns.return(undefined);
  }
}

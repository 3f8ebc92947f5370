import { encodeLines, TextLines, type EncodedPayload } from '@fleetlog/shared/batch';
import { CanFrames, encodeCan } from '@fleetlog/shared/can';

/** A batch's content, and the stream that it is of: as the file names it, or undefined where it names none. */
export interface Sealed {
  stream: string | undefined;
  payload: EncodedPayload;
}

/** Something in the file that isn't what it should be and was left out. */
export interface Problem {
  /** `line 12`, `byte 4096`. */
  where: string;
  text: string;
}

/*
 * When a batch is sealed. These are part of what makes the second import of a file recognisable as such: whoever
 * changes them changes the salt of the fingerprint as well, and files that were imported before count as new.
 */
const recordsMax = 8192;
const bytesMax = 256 * 1024;
const spanUsMax = 60_000_000;
const problemsKept = 100;

/** What a reader finds in a recording, as batches. */
export class RecordingOut {
  /** Batches that are full; whoever drives the reader takes them away. */
  readonly sealed: Sealed[] = [];
  readonly problems: Problem[] = [];
  problemCount = 0;
  frames = 0;
  lines = 0;
  firstTimeUs = Infinity;
  lastTimeUs = -Infinity;
  /** The first time that the file tells. */
  fileStartUs = NaN;
  private shiftUs: number | undefined;
  private readonly frameBatches = new Map<string | undefined, FrameBatch>();
  private readonly lineBatches = new Map<string | undefined, LineBatch>();

  /** The first record's time becomes `startUs`, where it is given. */
  constructor(private readonly startUs?: number) {}

  /** What is to be added to the file's times, once it is known that its first one is this. */
  shiftFor(timeUs: number): number {
    if (this.shiftUs !== undefined) return this.shiftUs;
    this.fileStartUs = timeUs;
    return (this.shiftUs = this.startUs === undefined ? 0 : this.startUs - timeUs);
  }

  framesOf(stream?: string): FrameBatch {
    let batch = this.frameBatches.get(stream);
    if (!batch) this.frameBatches.set(stream, (batch = new FrameBatch(this, stream)));
    return batch;
  }

  linesOf(stream?: string): LineBatch {
    let batch = this.lineBatches.get(stream);
    if (!batch) this.lineBatches.set(stream, (batch = new LineBatch(this, stream)));
    return batch;
  }

  problem(where: string, text: string): void {
    if (this.problemCount++ < problemsKept) this.problems.push({ where, text });
  }

  /** Seals what is left. */
  end(): void {
    for (const batch of this.frameBatches.values()) batch.seal();
    for (const batch of this.lineBatches.values()) batch.seal();
  }

  push(stream: string | undefined, payload: EncodedPayload): void {
    this.firstTimeUs = Math.min(this.firstTimeUs, payload.firstTimeUs);
    this.lastTimeUs = Math.max(this.lastTimeUs, payload.lastTimeUs);
    this.sealed.push({ stream, payload });
  }
}

/** The batch of frames that is being filled. */
export class FrameBatch {
  readonly columns = new CanFrames();

  constructor(
    private readonly out: RecordingOut,
    private readonly stream: string | undefined,
  ) {}

  /** One more frame; see `CanFrames.append`. */
  add(
    fileTimeUs: number,
    id: number,
    flags: number,
    dlc: number,
    bus: string,
    data: Uint8Array,
    start: number,
    length: number,
  ): void {
    const timeUs = fileTimeUs + this.out.shiftFor(fileTimeUs);
    if (!this.takes(timeUs)) this.seal();
    let index = this.columns.busIndex(bus);
    if (index < 0) {
      this.seal();
      index = this.columns.busIndex(bus);
    }
    this.columns.append(timeUs, id, flags, dlc, index, data, start, length);
    this.added();
  }

  /** How far the times of a batch may be from its first. */
  static readonly spanUs = spanUsMax;

  takes(timeUs: number): boolean {
    return this.columns.count === 0 || Math.abs(timeUs - this.columns.baseTimeUs) <= spanUsMax;
  }

  /** After a frame that the caller has put into `columns` itself. */
  added(): void {
    this.out.frames++;
    if (this.columns.count >= recordsMax || this.columns.dataBytes >= bytesMax) this.seal();
  }

  seal(): void {
    if (this.columns.count === 0) return;
    this.out.push(this.stream, encodeCan(this.columns));
    this.columns.clear();
  }
}

/** The batch of text lines that is being filled. */
export class LineBatch {
  private readonly columns = new TextLines();
  private bytes = 0;

  constructor(
    private readonly out: RecordingOut,
    private readonly stream: string | undefined,
  ) {}

  /** One more line, its end included. */
  add(fileTimeUs: number, line: Uint8Array): void {
    const timeUs = fileTimeUs + this.out.shiftFor(fileTimeUs);
    const { columns } = this;
    if (columns.count > 0 && Math.abs(timeUs - columns.baseTimeUs) > spanUsMax) this.seal();
    columns.append(timeUs, line, 0, line.length);
    this.bytes += line.length;
    this.out.lines++;
    if (columns.count >= recordsMax || this.bytes >= bytesMax) this.seal();
  }

  seal(): void {
    if (this.columns.count === 0) return;
    this.out.push(this.stream, encodeLines(this.columns));
    this.columns.clear();
    this.bytes = 0;
  }
}

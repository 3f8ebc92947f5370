import { encodeBatch, type BatchHeader } from '@fleetlog/shared/batch';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Imported } from './desk.js';
import { formatOf, importFormats, type ImportFormat } from './formats.js';
import { tellsDate } from './gvret.js';
import { RecordingOut, type Problem, type Sealed } from './out.js';
import { Recording } from './recording.js';
import { checkNames } from './names.js';
import { importBytesMax } from './wire.js';

/** Where batches go: of one stream, in the order of their sequences. */
type SendBatches = (stream: string, batches: readonly Uint8Array[]) => Promise<Imported>;

export interface ImportFileOptions {
  path: string;
  gateway: string;
  /** Under which name the records go in; those of a format that names streams keep theirs where it isn't given. */
  stream?: string | undefined;
  format?: ImportFormat | undefined;
  /** When the first record was, where the file doesn't tell or tells something else; µs. */
  startUs?: number | undefined;
  /** How far the recorder's clock was ahead of UTC, for times without a zone; µs. */
  zoneUs: number;
  send: SendBatches;
  nowUs: () => number;
  /** Bytes of the file that are done, of how many. */
  onProgress?: (doneBytes: number, ofBytes: number) => void;
}

/** What came of a file. */
export interface ImportedFile extends Imported {
  file: string;
  format: ImportFormat;
  /** Under which the log knows this import: the same file with the same options has the same. */
  epoch: string;
  streams: string[];
  frames: number;
  lines: number;
  /** Undefined where the file holds no record. */
  firstTimeUs: number | undefined;
  lastTimeUs: number | undefined;
  /** What was left out: how much, and the first hundred. */
  problemCount: number;
  problems: readonly Problem[];
}

/** Changes with anything that would make other batches of the same file: they would be new then. */
const salt = 'import-1';
const requestBytesMax = importBytesMax / 4;

/**
 * Reads a recording and sends it as batches of an epoch that its content makes, so that the log takes each once, however
 * often it is imported. Errors: FLEETLOG_USAGE where it isn't readable as what it should be; those of `send`.
 */
export async function importFile(options: ImportFileOptions): Promise<ImportedFile> {
  const { path, gateway, stream, startUs, zoneUs } = options;
  checkNames(gateway, stream);
  await using recording = await Recording.open(path);
  const format = options.format ?? (await formatOf(recording));
  const epoch = await recording.fingerprint(JSON.stringify([salt, format, startUs ?? null, zoneUs]));
  const out = new RecordingOut(startUs);
  const batches = new BatchQueue(options, epoch, format === 'mcap');
  let reads = 0;
  for await (const _ of importFormats[format](recording, out, { zoneUs })) {
    if (format === 'gvret' && out.frames > 0) checkDate(out, options);
    await batches.add(out.sealed.splice(0));
    options.onProgress?.(Math.min(recording.size, ++reads * 256 * 1024), recording.size);
  }
  out.end();
  if (format === 'gvret' && out.frames > 0) checkDate(out, options);
  await batches.add(out.sealed.splice(0));
  await batches.flush();
  if (out.frames + out.lines === 0 && out.problemCount > 0) {
    const [{ where, text }] = out.problems;
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `${path} holds nothing that reads as ${format}: ${where}: ${text}.`,
    );
  }
  options.onProgress?.(recording.size, recording.size);
  const { frames, lines, problemCount, problems } = out;
  const isEmpty = frames + lines === 0;
  return {
    file: path,
    format,
    epoch,
    streams: [...batches.streams],
    frames,
    lines,
    firstTimeUs: isEmpty ? undefined : out.firstTimeUs,
    lastTimeUs: isEmpty ? undefined : out.lastTimeUs,
    added: batches.added,
    known: batches.known,
    problemCount,
    problems,
  };
}

function checkDate(out: RecordingOut, { path, startUs }: ImportFileOptions): void {
  if (startUs !== undefined || tellsDate(out.fileStartUs)) return;
  throw new FleetlogError(
    'FLEETLOG_USAGE',
    `${path} tells times since the recorder was switched on, and no date; say when its first frame was with --start.`,
  );
}

/** Numbers batches and sends several at once. */
class BatchQueue {
  readonly streams = new Set<string>();
  added = 0;
  known = 0;
  private readonly next = new Map<string, number>();
  private waiting: Uint8Array[] = [];
  private waitingStream = '';
  private bytes = 0;
  /** The one stream of the file that gets another name. */
  private own: string | undefined;

  constructor(
    private readonly options: ImportFileOptions,
    private readonly epoch: string,
    private readonly namesStreams: boolean,
  ) {}

  async add(sealed: readonly Sealed[]): Promise<void> {
    for (const { stream: own, payload } of sealed) {
      const stream = this.nameOf(own);
      if (stream !== this.waitingStream || this.bytes >= requestBytesMax) await this.flush();
      const sequence = this.next.get(stream) ?? 0;
      this.next.set(stream, sequence + 1);
      const { kind, codec, rawBytes, recordCount, firstTimeUs, lastTimeUs } = payload;
      const header: BatchHeader = {
        gateway: this.options.gateway,
        epoch: this.epoch,
        boot: this.epoch,
        stream,
        kind,
        sequence,
        lastSequence: sequence,
        firstTimeUs,
        lastTimeUs,
        recordCount,
        storeTimeUs: this.options.nowUs(),
        clock: { wallOffsetUs: 0, state: 'unset', uncertaintyUs: -1 },
        origin: 'recording',
        codec,
        rawBytes,
      };
      const bytes = encodeBatch(header, payload.payload);
      this.waitingStream = stream;
      this.waiting.push(bytes);
      this.bytes += bytes.length;
    }
  }

  async flush(): Promise<void> {
    if (this.waiting.length === 0) return;
    const { added, known } = await this.options.send(this.waitingStream, this.waiting);
    this.added += added;
    this.known += known;
    this.waiting = [];
    this.bytes = 0;
  }

  private nameOf(own: string | undefined): string {
    const { stream, path } = this.options;
    const name = this.namesStreams ? (stream ?? own) : stream;
    if (name === undefined) {
      throw new FleetlogError(
        'FLEETLOG_USAGE',
        `${path} names no stream; say which it is to be with --stream.`,
      );
    }
    this.streams.add(name);
    if (!this.namesStreams || stream === undefined || own === undefined) return name;
    this.own ??= own;
    if (this.own === own) return name;
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `${path} holds several streams (${this.own}, ${own}, …); leave --stream away, and each keeps its name.`,
    );
  }
}

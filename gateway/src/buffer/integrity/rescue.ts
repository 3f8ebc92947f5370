import { rm } from 'node:fs/promises';
import { decodeBatch, decodeGap, type Batch } from '@fleetlog/shared/batch';
import { isFleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { OrderedStore, StoreOperation } from '@fleetlog/shared/store';
import type { Clock } from '@fleetlog/shared/util';
import { decodeEntry } from '../entry.js';
import type { GapSpan } from '../gap-spans.js';
import { keys } from '../keys.js';
import type { StoredBatches } from '../stored-batches.js';
import { StreamState } from '../stream-state.js';
import { damagedFolders, finishFolder, type DamagedFolder } from './damaged-folders.js';
import { DiskPatience } from './disk-patience.js';
import { dataFiles, noteUnread, valuesOf, type FileDamage } from './files.js';
import { isRescuedName, rescuedName } from './rescued-names.js';
import { RescuedStream } from './rescued-stream.js';
import type { KeyValue } from './sealed-value.js';
import { batchOfKey, epochOfValue, stateOfValue } from './wal-put-back.js';

/** What came of the rescue of earlier lives. */
export interface RescueReport {
  /** Why their databases were moved aside. */
  reasons: string[];
  files: number;
  damagedFiles: string[];
  /** Batches that go up under their old identity. */
  batches: number;
  records: number;
  /** Sequences that are lost, in gap records. */
  lost: number;
}

export interface RescueParts {
  /** Folder of the buffer in use, beside which the damaged ones lie. */
  folder: string;
  gateway: string;
  store: OrderedStore;
  stored: StoredBatches;
  isActive(stream: string): boolean;
  /** All that was written to the store is durable when it resolves: the buffer's own barrier. */
  sync(): Promise<void>;
  /** The lives of the buffer whose folders are being read, where they are known. */
  begins(epochs: string[]): void;
  /** Takes these into the streams of the buffer; durable when it resolves. */
  activate(streams: StreamState[]): Promise<void>;
  clock: Clock;
  logger: Logger;
}

const writeBytes = 512 * 1024;
const fullRetryMs = 5000;

/**
 * Takes every readable batch out of the folders that were moved aside, and accounts for the others. It works beside
 * the running gateway; when the process dies, the next one goes on. Resolves with undefined where there was nothing.
 */
export async function rescue(parts: RescueParts, signal: AbortSignal): Promise<RescueReport | undefined> {
  const folders = (await damagedFolders(parts.folder)).filter((folder) => !folder.isDone);
  if (folders.length === 0) return undefined;
  parts.begins(folders.flatMap(({ plan }) => plan?.mark?.epoch ?? []));
  return new Rescue(parts, signal).run(folders);
}

class Rescue {
  private readonly streams = new Map<string, RescuedStream>();
  private readonly report: RescueReport = {
    reasons: [],
    files: 0,
    damagedFiles: [],
    batches: 0,
    records: 0,
    lost: 0,
  };
  private operations: StoreOperation[] = [];
  private operationBytes = 0;
  /** Of the folder that is being read. */
  private epoch: string | undefined;
  private readonly patience: DiskPatience;

  constructor(
    private readonly parts: RescueParts,
    private readonly signal: AbortSignal,
  ) {
    this.patience = new DiskPatience(parts.clock, parts.logger);
  }

  async run(folders: DamagedFolder[]): Promise<RescueReport> {
    const damaged = new Set<string>();
    for (const folder of folders) {
      this.report.reasons.push(folder.plan?.reason ?? 'unknown');
      this.epoch = folder.plan?.mark?.epoch;
      this.plan(folder);
      for (const file of await dataFiles(folder.path)) {
        const damage = await this.readPatiently(file);
        this.saveGaps();
        await this.write();
        await this.parts.sync();
        this.report.files++;
        if (damage.isDamaged) {
          this.report.damagedFiles.push(file.path);
          damaged.add(folder.path);
        } else {
          await rm(file.path, { force: true }); // its content is in the new database: a full disk needs the room
        }
      }
    }
    await this.activate();
    for (const { path } of folders) {
      await finishFolder(this.parts.folder, path, this.report, !damaged.has(path));
    }
    return this.report;
  }

  /** Takes what a file holds; again from its beginning, while the disk may only be failing for a moment. */
  private async readPatiently(file: { path: string; isWal: boolean }): Promise<FileDamage> {
    for (;;) {
      this.signal.throwIfAborted();
      const isPatient = this.patience.lasts;
      const damage: FileDamage = { isDamaged: false };
      try {
        for await (const found of valuesOf(file, damage)) {
          this.take(found);
          if (this.operationBytes >= writeBytes) await this.write();
        }
      } catch (error) {
        if (isFleetlogError(error)) throw error;
        noteUnread(damage, error);
        this.parts.logger.error(
          { file: file.path, error: String(error) },
          "A damaged buffer's file doesn't read.",
        );
      }
      if (damage.diskError === undefined || !isPatient) return damage;
      await this.patience.bear(damage.diskError, this.signal);
    }
  }

  /** What the mark knows, so that what is missing wholly is accounted for as well. */
  private plan({ plan }: DamagedFolder): void {
    const mark = plan?.mark;
    if (mark?.gateway !== this.parts.gateway) return;
    for (const [stream, marked] of Object.entries(mark.streams)) {
      const name = isRescuedName(stream) ? stream : rescuedName(stream, mark.epoch);
      this.rescued(name)?.expect(marked);
    }
  }

  private take(found: KeyValue): void {
    this.epoch ??= epochOfValue(found);
    const state = stateOfValue(found);
    if (state) {
      const name = isRescuedName(state.stream)
        ? state.stream
        : this.epoch && rescuedName(state.stream, this.epoch);
      if (name !== undefined) this.rescued(name)?.learn(state);
      return;
    }
    if (!batchOfKey(found.key)) return;
    const batch = readEntry(found.value);
    if (!batch || batch.header.gateway !== this.parts.gateway) return;
    const { header } = batch;
    const name = rescuedName(header.stream, header.epoch);
    const stream = this.rescued(name);
    if (!stream?.wants(header)) return;
    stream.found(header, header.codec === 'gap-1' ? gapOf(batch) : undefined);
    const value = Buffer.from(found.value); // the chunk it lies in is used again
    this.operations.push({ type: 'put', key: keys.batch(name, header.sequence), value });
    this.operationBytes += value.length;
  }

  /** Undefined for one that was rescued in an earlier run and is being sent. */
  private rescued(name: string): RescuedStream | undefined {
    if (this.parts.isActive(name)) return undefined;
    let stream = this.streams.get(name);
    if (!stream) this.streams.set(name, (stream = new RescuedStream(name)));
    return stream;
  }

  private saveGaps(): void {
    for (const stream of this.streams.values()) {
      const gaps = stream.changedGaps();
      if (!gaps) continue;
      const value = Buffer.from(JSON.stringify(gaps));
      this.operations.push({ type: 'put', key: keys.gaps(stream.name), value });
    }
  }

  private async write(): Promise<void> {
    const { store, clock, logger } = this.parts;
    for (;;) {
      try {
        await store.write(this.operations);
        break;
      } catch (error) {
        if (!isFleetlogError(error, 'FLEETLOG_STORE_FULL')) throw error;
        logger.error({ code: error.code }, `${error.message} The rescue waits for room.`);
        await clock.sleep(fullRetryMs, this.signal);
      }
    }
    this.operations = [];
    this.operationBytes = 0;
  }

  private async activate(): Promise<void> {
    const states: StreamState[] = [];
    for (const stream of this.streams.values()) {
      this.signal.throwIfAborted();
      const built = await stream.build(this.parts.store, this.parts.stored);
      if (!built) continue;
      states.push(built.state);
      this.report.batches += built.batches;
      this.report.records += built.records;
      this.report.lost += built.lost;
    }
    await this.parts.activate(states);
  }
}

function readEntry(value: Uint8Array): Batch | undefined {
  try {
    return decodeBatch(decodeEntry(value).batch);
  } catch {
    return undefined;
  }
}

function gapOf(batch: Batch): GapSpan {
  const { sequence: first, lastSequence: last, recordCount: records, firstTimeUs, lastTimeUs } = batch.header;
  return { first, last, ...decodeGap(batch), records, firstTimeUs, lastTimeUs };
}

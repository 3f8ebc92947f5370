import { basename } from 'node:path';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { openRocksDb } from '@fleetlog/shared/store';
import { storeOptions, type BufferOptions } from '../buffer-options.js';
import { readStates } from '../stored-states.js';
import { StoredBatches } from '../stored-batches.js';
import type { StreamState } from '../stream-state.js';
import { CheckedStore } from './checked-store.js';
import { damagedFolders } from './damaged-folders.js';
import { dataFiles, valuesOf } from './files.js';
import { readMark, type Mark } from './mark.js';

export interface VerifyReport {
  /** False where anything below isn't as it should be. */
  isSound: boolean;
  /** Why the database doesn't open. */
  trouble?: string;
  streams: StreamVerification[];
  /**
   * Files of the database in which a checksum doesn't fit. A table or blob file keeps the buffer sound where all that
   * waits reads: what is damaged in it was sent, or given up with a gap record. A log doesn't.
   */
  damagedFiles: string[];
  /** Folders that were moved aside, and whether all that reads is rescued from them. */
  aside: { folder: string; isRescued: boolean }[];
}

interface StreamVerification {
  stream: string;
  /** Batches and gap records that wait and are as they were put. */
  readable: number;
  /** Those that don't read, or read otherwise. */
  unreadable: number;
  /** Durable ones, by the high-water mark, that the database doesn't know of. */
  missing: number;
}

const step = 256;

/**
 * Reads all that a buffer holds, and changes nothing. The gateway must not run meanwhile: it would delete files under
 * the reader. Errors: FLEETLOG_PLATFORM.
 */
export async function verifyBuffer(options: BufferOptions, markPath: string): Promise<VerifyReport> {
  const { path } = options;
  const damagedFiles: string[] = [];
  let isLogDamaged = false;
  for (const file of await dataFiles(path)) {
    const damage = { isDamaged: false };
    const values = valuesOf(file, damage);
    while (!(await values.next()).done);
    if (!damage.isDamaged) continue;
    damagedFiles.push(file.name);
    isLogDamaged ||= file.isWal;
  }
  const aside = (await damagedFolders(path)).map((folder) => ({
    folder: basename(folder.path),
    isRescued: folder.isDone,
  }));
  const mark = await readMark(markPath);
  let streams: StreamVerification[] = [];
  let trouble: string | undefined;
  try {
    await using store = new CheckedStore(await openRocksDb({ ...storeOptions(options), readOnly: true }));
    const stored = new StoredBatches(store);
    const states = await readStates(store);
    for (const state of states.values()) streams.push(await verifyStream(state, stored));
    streams = [...streams, ...unknownStreams(states, mark)].map((stream) => ({
      ...stream,
      missing: missingOf(stream.stream, states, mark),
    }));
  } catch (error) {
    if (!isFleetlogError(error, 'FLEETLOG_STORE')) throw error;
    trouble = error.message;
  }
  const isSound =
    trouble === undefined &&
    !isLogDamaged &&
    streams.every(({ unreadable, missing }) => unreadable + missing === 0);
  return { isSound, ...(trouble !== undefined && { trouble }), streams, damagedFiles, aside };
}

async function verifyStream(state: StreamState, stored: StoredBatches): Promise<StreamVerification> {
  const { stream } = state;
  let readable = 0;
  let unreadable = 0;
  for (let from = 0; ;) {
    const sequences = state.unsent(from, step);
    if (sequences.length === 0) return { stream, readable, unreadable, missing: 0 };
    for (const value of await stored.values(stream, sequences)) {
      if (value) readable++;
      else unreadable++;
    }
    const last = sequences[sequences.length - 1];
    from = (state.gaps.at(last)?.last ?? last) + 1;
  }
}

const unknownStreams = (states: Map<string, StreamState>, mark: Mark | undefined): StreamVerification[] =>
  Object.keys(mark?.streams ?? {})
    .filter((stream) => !states.has(stream))
    .map((stream) => ({ stream, readable: 0, unreadable: 0, missing: 0 }));

const missingOf = (stream: string, states: Map<string, StreamState>, mark: Mark | undefined): number =>
  Math.max(0, (mark?.streams[stream]?.next ?? 0) - (states.get(stream)?.next ?? 0));

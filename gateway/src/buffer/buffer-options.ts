import type { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { RocksDbOptions } from '@fleetlog/shared/store';
import type { Clock } from '@fleetlog/shared/util';
import type { ClockFacts } from './clock-facts.js';
import type { GroupCommitLimits } from './group-commit.js';
import { Ballast } from './space/ballast.js';
import type { Disk } from './space/disk.js';
import type { SpaceLimits, StreamPolicy } from './space/limits.js';

export interface BufferOptions extends GroupCommitLimits {
  gateway: string;
  /** Folder of the buffer; made where it is missing. */
  path: string;
  /** Memory for batches before they go to a table file; large saves disk writes where the cloud keeps up. */
  writeBufferBytes: number;
  /** Bytes that the process may write to disk in a day, kept by rarer commits; undefined: no limit. */
  writeBytesPerDay?: number | undefined;
  /** The most that batches which the cloud refused may take, kept aside; 16 MiB where it isn't said. */
  refusedBytes?: number;
  /** Limits of the space that it takes, and what each stream is worth; without it there are none. */
  space?: SpaceOptions | undefined;
  /** Called when the database takes no more writes: FLEETLOG_STORE_BROKEN. Only closing is left then. */
  onBroken?: ((error: FleetlogError) => void) | undefined;
  clock: Clock;
  clockFacts: ClockFacts;
  logger: Logger;
}

export interface SpaceOptions {
  limits: SpaceLimits;
  policyOf: (stream: string) => StreamPolicy;
  disk: Disk;
}

/** How the buffer uses its database. */
export const storeOptions = (options: BufferOptions): RocksDbOptions => ({
  path: options.path,
  purpose: 'buffer folder',
  writeBufferBytes: options.writeBufferBytes,
  openFilesMax: 32,
  blockCache: false,
  blobs: { bytesMin: blobBytesMin, fileBytes: blobFileBytes(options.space?.limits.bytes) },
});

/** Beside the folder, so that it is there whatever becomes of the database. */
export const ballastOf = ({ path, logger }: BufferOptions, { limits }: SpaceOptions): Ballast =>
  new Ballast(`${path}.ballast`, limits.ballastBytes, logger);

/** Smaller ones cost less in the table, which compaction writes again and again, than as a part of a blob file. */
const blobBytesMin = 512;
const blobFilesMax = 1000;

/**
 * A write buffer becomes files in the order of keys: small ones hold a single stream mostly, and go as a whole when
 * that stream's oldest are given up. Their number is limited.
 */
const blobFileBytes = (limitBytes = 0): number => Math.max(1024 * 1024, Math.ceil(limitBytes / blobFilesMax));

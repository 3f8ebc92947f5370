import type { FastifyReply } from 'fastify';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import type { BackupDesk } from '../backup/desk.js';
import type { Index } from '../index/index.js';
import type { ColumnStore } from '../columns/store.js';
import type { Groups } from '../consumers/groups.js';
import type { Fleet } from '../ingest/fleet.js';
import type { ImportDesk } from '../import/desk.js';
import type { Log } from '../log/log.js';
import type { Catalogue } from '../signals/catalogue/index.js';
import type { RecordedSignals } from '../signals/recorded-signals.js';
import type { Retention } from '../retention/retention.js';
import type { DiskGuard } from '../storage/disk-guard.js';
import type { RollupStore } from '../rollups/store.js';
import type { Slots } from './slots.js';

/** Limits of the API; a request over one is refused or cut off, and says so. */
export interface ApiLimits {
  connectionsMax: number;
  exportsMax: number;
  importsMax: number;
  tailsMax: number;
  /** Longest path and query, bytes. */
  urlBytesMax: number;
  /** A client that takes nothing for so long is dropped. */
  idleMs: number;
  heartbeatMs: number;
  /** A read waits so long for the index to see all that was acknowledged before it. */
  catchUpMs: number;
  /** Rows of a query's answer, and time that it may take; beyond them the answer ends, and says where. */
  queryRowsMax: number;
  queryTimeMsMax: number;
}

export const defaultLimits: ApiLimits = {
  connectionsMax: 1024,
  exportsMax: 8,
  importsMax: 4,
  tailsMax: 64,
  urlBytesMax: 4096,
  idleMs: 60_000,
  heartbeatMs: 10_000,
  catchUpMs: 10_000,
  queryRowsMax: 50_000_000,
  queryTimeMsMax: 600_000,
};

/** What the routes work with. */
export interface ApiContext {
  log: Log;
  index: Index;
  fleet: Fleet;
  groups: Groups;
  catalogue: Catalogue;
  recorded: RecordedSignals;
  /** Undefined where nothing is to be kept. */
  rollups: RollupStore | undefined;
  /** Minutes by identifier; undefined where none are to be kept. */
  columnStore: ColumnStore | undefined;
  retention: Retention;
  disk: DiskGuard;
  logger: Logger;
  clock: Clock;
  version: string;
  limits: ApiLimits;
  exports: Slots;
  imports: Pick<ImportDesk, 'take'>;
  importSlots: Slots;
  tails: Slots;
  /** Undefined where none are to be taken. */
  backups: BackupDesk | undefined;
  startedUs: number;
}

/** Says how many batches the answer may lack, where the index didn't catch up in time. */
const lagHeader = 'fleetlog-index-lag';

/** "Acknowledged" implies "visible": waits until the index has seen what is in the log now. */
export async function catchUp({ index, limits }: ApiContext, reply: FastifyReply): Promise<void> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(new Error('the index is behind')), limits.catchUpMs);
  try {
    await index.caughtUp(timeout.signal);
  } catch (error) {
    if (!timeout.signal.aborted) throw error;
    void reply.header(lagHeader, String(index.lag()));
  } finally {
    clearTimeout(timer);
  }
}

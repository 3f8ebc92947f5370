import { statfs } from 'node:fs/promises';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import { Signal, type Clock } from '@fleetlog/shared/util';

const everyMs = 1000;
/** Above the floor by so much ingest goes on: it would stop again at once otherwise. */
const backAbove = 1.1;

/**
 * Looks how much the disk of a folder has left. Ingest stops above the end, so that what must go on has room: the log's
 * own tables, the index, checkpoints, and retention, which makes room by writing what it trims.
 */
export class DiskGuard implements AsyncDisposable {
  freeBytes = Infinity;
  totalBytes = 0;
  isFull = false;
  private readonly roomier = new Signal();
  private readonly closing = new AbortController();
  private readonly watching: Promise<void>;

  private constructor(
    readonly folder: string,
    readonly minFreeBytes: number,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    this.watching = this.watch();
  }

  static async open(options: {
    folder: string;
    minFreeBytes: number;
    clock: Clock;
    logger: Logger;
  }): Promise<DiskGuard> {
    const { folder, minFreeBytes, clock, logger } = options;
    const guard = new DiskGuard(folder, minFreeBytes, clock, logger);
    await guard.look();
    return guard;
  }

  /** Resolves when there is room, or with the signal. */
  async whenRoom(signal: AbortSignal): Promise<void> {
    while (this.isFull && !signal.aborted) {
      await this.roomier.wait(signal).catch(() => undefined); // the loop looks at the signal
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closing.abort(new FleetlogError('FLEETLOG_INTERRUPTED', 'The cloud is stopping.'));
    await this.watching;
  }

  private async watch(): Promise<void> {
    const { signal } = this.closing;
    while (!signal.aborted) {
      await this.clock.sleep(everyMs, signal).catch(() => undefined); // the loop looks at the signal
      await this.look();
    }
  }

  private async look(): Promise<void> {
    const { folder, minFreeBytes, logger } = this;
    try {
      const { bavail, blocks, bsize } = await statfs(folder);
      this.freeBytes = bavail * bsize;
      this.totalBytes = blocks * bsize;
    } catch (error) {
      logger.warn({ folder, error }, 'nobody says how much of the disk is free');
      return;
    }
    const { freeBytes } = this;
    if (!this.isFull && freeBytes < minFreeBytes) {
      this.isFull = true;
      logger.error(
        { code: 'FLEETLOG_STORE_FULL', freeBytes, minFreeBytes },
        'The disk is nearly full: nothing is acknowledged until there is room, and gateways keep their data.',
      );
    } else if (this.isFull && freeBytes >= minFreeBytes * backAbove) {
      this.isFull = false;
      logger.info({ freeBytes }, 'The disk has room again; ingest goes on.');
      this.roomier.set();
    }
  }
}

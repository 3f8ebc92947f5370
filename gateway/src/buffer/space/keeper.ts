import type { GapCause } from '@fleetlog/shared/batch';
import type { Logger } from '@fleetlog/shared/log';
import { Signal, type Clock } from '@fleetlog/shared/util';
import type { ClockFacts } from '../clock-facts.js';
import type { Ballast } from './ballast.js';
import type { Disk } from './disk.js';
import { Expiry } from './expiry.js';
import { batchOverheadBytes, spaceLevels, type SpaceLevels, type SpaceLimits } from './limits.js';
import type { StreamPolicy } from './limits.js';
import type { HeldStream, SpaceTarget } from './target.js';

export interface KeeperOptions {
  limits: SpaceLimits;
  writeBufferBytes: number;
  policyOf: (stream: string) => StreamPolicy;
  disk: Disk;
  ballast: Ballast;
  clock: Clock;
  clockFacts: ClockFacts;
  logger: Logger;
}

/** Why a new batch isn't taken: everything that could go is worth more. */
export interface Refusal {
  cause: GapCause;
  detail: string;
}

export interface SpaceState {
  limitBytes: number;
  /** Files of the buffer. */
  diskBytes: number;
  /** Free space of the file system. */
  freeBytes: number;
  /** What stands in the way of taking more without giving up: the limit, or others who filled the disk. */
  full: 'no' | 'limit' | 'disk';
  /** Bytes that can still be taken before anything is given up. */
  leftBytes: number;
}

/** Whose oldest go, or are thinned where there is an n. */
interface Victim {
  held: HeldStream;
  keepEachNth: number | undefined;
}

const checkMs = 2000;
const lookBytesMin = 64 * 1024;
const chunkBytesMin = 64 * 1024;
/** Of the files with values, the oldest. */
const rewriteShare = 0.1;
/** How often more is given up in one go because the files are still too large. */
const squeezesMax = 3;
/**
 * Thinned batches take at most this part of a stream's bytes: what is newer stays whole, and the oldest of them go.
 */
const thinnedShareMax = 0.5;
/** Thinning costs milliseconds a batch: a put waits for no more of it, and then the oldest go. */
const thinStepsMax = 16;
/** Below the floor by so much, free space counts as enough again. */
const floorEase = 1.05;

/**
 * Keeps the buffer within its limits: gives up the oldest batches of the stream that is worth least, each with a gap
 * record; never `events`. Streams that can wait do so before it comes to that.
 *
 * Free space of the disk isn't the buffer's alone: below the floor the buffer grows no more, what is new replaces what
 * is old; below half of it it gives back a chunk at a time.
 */
export class SpaceKeeper {
  private readonly levels: SpaceLevels;
  private readonly released = new Signal();
  private makingRoom: Promise<void> | undefined;
  private reclaiming: Promise<void> | undefined;
  private diskBytes = 0;
  private freeBytes = Infinity;
  /** `putBytes` of the target when the files were last measured, and when space was last reclaimed. */
  private measuredAt = 0;
  private reclaimedAt = -Infinity;
  private lookedAt = -Infinity;
  /** The most that may be held while the disk is short of space. */
  private held = Infinity;
  private readonly stop = new AbortController();
  private readonly expiry: Expiry;
  private readonly running: Promise<void>;

  constructor(
    private readonly target: SpaceTarget,
    private readonly options: KeeperOptions,
  ) {
    this.levels = spaceLevels(options.limits.bytes, options.writeBufferBytes);
    const { policyOf, clock, clockFacts } = options;
    this.expiry = new Expiry(target, policyOf, clock, clockFacts);
    this.running = this.run();
  }

  /**
   * Before a batch is put. Resolves when there is room for it, or with the reason why there is none: a batch that isn't
   * worth what it would drive out.
   */
  async admit(stream: string, bytes: number): Promise<Refusal | undefined> {
    const { target, levels } = this;
    const policy = this.options.policyOf(stream);
    const needed = bytes + batchOverheadBytes;
    // The files grow with what is put until space is reclaimed.
    if (this.target.putBytes() - this.lookedAt >= this.lookBytes) await this.lookAtDisk();
    if (this.filesBytes + needed > this.reclaimLevel) this.reclaimSoon();
    while (this.filesBytes + needed > levels.files && this.reclaiming) await this.reclaiming;
    if (policy.whenFull === 'wait') {
      const level = (): number => Math.min(levels.wait, 0.9 * this.held);
      while (target.heldBytes() > 0 && target.heldBytes() + needed > level() && !this.stop.signal.aborted) {
        await this.released.wait(this.stop.signal).catch(() => undefined);
      }
      return undefined;
    }
    while (target.heldBytes() + needed > this.dropLevel && !this.stop.signal.aborted) {
      const enough = this.dropLevel - needed;
      const goal = Math.min(enough, this.dropLevel - this.chunk);
      if (!(await this.makeRoom(goal, policy.priority, enough))) {
        if (policy.priority === Infinity) return undefined; // events: there is always room for a few more
        return { cause: 'buffer-full', detail: `New data of priority ${policy.priority}: ${this.why()}.` };
      }
    }
    return undefined;
  }

  /** The disk took a write no more. */
  async diskFull(): Promise<void> {
    this.held = Math.min(this.held, this.target.heldBytes());
    this.freeBytes = 0;
    await this.options.ballast.release();
  }

  /** Something was acknowledged. */
  release(): void {
    this.released.set();
  }

  state(): SpaceState {
    const heldBytes = this.target.heldBytes();
    const level = this.dropLevel;
    const full = heldBytes < level - this.chunk * 2 ? 'no' : this.held < this.levels.drop ? 'disk' : 'limit';
    const free = this.freeBytes - this.options.limits.freeBytesMin;
    return {
      limitBytes: this.options.limits.bytes,
      diskBytes: this.diskBytes,
      freeBytes: this.freeBytes,
      full,
      leftBytes: Math.max(0, Math.min(level - heldBytes, free)),
    };
  }

  async close(): Promise<void> {
    this.stop.abort();
    this.released.set();
    await this.running;
    await this.makingRoom?.catch(() => undefined);
    await this.reclaiming;
  }

  /** Where the disk is short of space, what was removed isn't left lying about. */
  private get reclaimLevel(): number {
    const { writeBufferBytes } = this.options;
    return Math.min(this.levels.reclaim, 1.1 * this.held + 3 * writeBufferBytes);
  }

  /** So much is put before the free space is looked at again. */
  private get lookBytes(): number {
    return Math.max(lookBytesMin, Math.min(this.levels.chunk, this.options.limits.freeBytesMin / 8));
  }

  /** What is given up at one time: a fiftieth of what may be held, or of what is held on a disk that others fill. */
  private get chunk(): number {
    return Math.min(this.levels.chunk, Math.max(chunkBytesMin, this.target.heldBytes() / 50));
  }

  private get dropLevel(): number {
    return Math.min(this.levels.drop, this.held);
  }

  /** About: as measured, and what was put since. */
  private get filesBytes(): number {
    return this.diskBytes + this.target.putBytes() - this.measuredAt;
  }

  private why(): string {
    const { bytes, freeBytesMin } = this.options.limits;
    return this.held < this.levels.drop
      ? `less than ${inMegabytes(freeBytesMin)} free on the disk`
      : `the buffer is at its limit of ${inMegabytes(bytes)}`;
  }

  /**
   * Gives up chunks until at most `goal` is held, or thins until at most `enough` is. False where nothing of this
   * priority or below can go.
   */
  private async makeRoom(goal: number, priority: number, enough = goal): Promise<boolean> {
    const { target } = this;
    while (this.makingRoom) await this.makingRoom;
    let done = false;
    this.makingRoom = (async () => {
      let thinSteps = 0;
      while (target.heldBytes() > (thinSteps > 0 ? enough : goal)) {
        const mayThin = thinSteps < thinStepsMax;
        let found = await this.victim(priority, mayThin);
        if (!found) {
          await target.flush(); // what isn't durable yet can't be given up
          found = await this.victim(priority, mayThin);
        }
        if (!found?.held.oldest) return;
        const { held: victim, keepEachNth } = found;
        if (keepEachNth !== undefined) {
          await target.thin(victim.stream, keepEachNth);
          thinSteps++;
          continue;
        }
        const [first, last] = found.held.oldest;
        const bytes = Math.max(this.chunk, Math.min(target.heldBytes() - goal, 16 * this.chunk));
        const batches = Math.max(1, Math.round(bytes / victim.bytesPerBatch));
        const range: [number, number] = [first, Math.min(last, first + batches - 1)];
        const { priority: worth } = this.options.policyOf(victim.stream);
        const why = {
          cause: 'buffer-full',
          detail: `The oldest of priority ${worth}: ${this.why()}.`,
        } as const;
        const gone = await target.giveUp(victim.stream, range, why);
        if (gone) this.options.logger.debug({ stream: victim.stream, ...gone }, why.detail);
        done = true;
      }
      done = true;
    })().finally(() => (this.makingRoom = undefined));
    await this.makingRoom;
    return done;
  }

  /** The stream of the lowest priority that holds anything; of several the one whose batch that would go is oldest. */
  private async victim(priorityMax: number, mayThin: boolean): Promise<Victim | undefined> {
    let best: (Victim & { priority: number; storedUs: number }) | undefined;
    for (const held of this.target.heldStreams()) {
      const { priority, keepEachNth: n } = this.options.policyOf(held.stream);
      if (held.kind === 'events' || !held.oldest || priority > priorityMax) continue;
      if (best && best.priority < priority) continue;
      const keepEachNth = mayThin && held.whole && held.thinnedShare < thinnedShareMax ? n : undefined;
      const [goes] = (keepEachNth !== undefined && held.whole) || held.oldest;
      const header = await this.target.header(held.stream, goes);
      const storedUs = header?.storeTimeUs ?? -Infinity; // what is damaged goes first
      if (best && best.priority === priority && best.storedUs <= storedUs) continue;
      best = { held, keepEachNth, priority, storedUs };
    }
    return best;
  }

  private async run(): Promise<void> {
    const { clock, logger } = this.options;
    const { signal } = this.stop;
    while (!signal.aborted) {
      try {
        await this.check();
      } catch (error) {
        logger.error({ error: String(error) }, "The buffer's space can't be looked after; trying again.");
      }
      await clock.sleep(checkMs, signal).catch(() => undefined); // the loop looks at the signal
    }
  }

  /** Measures, and reclaims or gives back where that is needed. */
  private async check(): Promise<void> {
    const { limits, ballast } = this.options;
    await this.expiry.run();
    await this.measure();
    if (this.diskBytes > this.reclaimLevel) this.reclaimSoon();
    await this.reclaiming;
    await this.lookAtDisk();
    if (this.freeBytes < limits.freeBytesMin / 2) {
      this.held = Math.max(0, this.held - this.chunk);
      await this.makeRoom(this.held, Infinity);
      this.reclaimedAt = -Infinity;
      this.reclaimSoon();
      await this.reclaiming;
    } else if (this.held === Infinity) {
      await ballast.restore(this.freeBytes - limits.freeBytesMin);
    }
  }

  /** Below the floor of free space nothing is held but what is held now, until there is enough again. */
  private async lookAtDisk(): Promise<void> {
    const { disk, limits } = this.options;
    this.lookedAt = this.target.putBytes();
    this.freeBytes = await disk.freeBytes();
    if (this.freeBytes < limits.freeBytesMin) {
      this.held = Math.min(this.held, this.target.heldBytes());
    } else if (this.freeBytes > limits.freeBytesMin * floorEase && this.held !== Infinity) {
      this.held = Infinity;
      this.released.set();
    }
  }

  private async measure(): Promise<void> {
    const putBytes = this.target.putBytes();
    this.diskBytes = await this.target.diskBytes();
    this.measuredAt = putBytes;
  }

  /** A part at a time: what is rewritten takes twice its space meanwhile. */
  private async rewrite(goal: number): Promise<void> {
    for (let part = 0; part < 1 && this.diskBytes > goal; part += rewriteShare) {
      await this.target.reclaim(rewriteShare);
      await this.measure();
    }
  }

  private reclaimSoon(): void {
    if (this.target.putBytes() - this.reclaimedAt >= this.chunk) this.reclaiming ??= this.reclaim();
  }

  /**
   * First what costs nothing: files of which all is removed. Where that wasn't enough, the rest, by writing anew what
   * is held beside it. Where even that wasn't, more is given up: the limit counts bytes on disk.
   */
  private async reclaim(): Promise<void> {
    const { target, levels, options } = this;
    try {
      await target.flush(); // what was given up is still there before it
      await target.reclaim(0);
      await this.measure();
      await this.rewrite(0.95 * this.reclaimLevel);
      for (let round = 0; round < squeezesMax && this.diskBytes > levels.reclaim; round++) {
        await this.makeRoom(target.heldBytes() - 2 * this.chunk, Infinity);
        await target.flush();
        await this.rewrite(levels.reclaim);
      }
    } catch (error) {
      options.logger.warn({ error: String(error) }, "Space of removed batches can't be reclaimed now.");
    } finally {
      this.reclaimedAt = target.putBytes();
      this.reclaiming = undefined;
    }
  }
}

const inMegabytes = (bytes: number): string => `${Math.round(bytes / 1e6).toLocaleString('en')} MB`;

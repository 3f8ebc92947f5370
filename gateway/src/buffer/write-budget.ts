import { readFileSync } from 'node:fs';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';

export interface WriteBudgetLimits {
  /** Longest wait of an operation for others to share its barrier, while the budget lasts. */
  commitIntervalMs: number;
  /** Bytes that this process may write to disk in a day; undefined: no limit. */
  bytesPerDay: number | undefined;
}

export interface WriteState {
  /** Bytes that this process has written to disk since its start; undefined where the system doesn't tell. */
  writtenBytes: number | undefined;
  budgetBytesPerDay: number | undefined;
  /** At present; raised where the budget would be exceeded. */
  commitIntervalMs: number;
}

const lookUs = 10e6;
const dayUs = 86_400e6;
/** More isn't lost to a power cut for the sake of the disk, and more would save little. */
export const commitIntervalMsMax = 10_000;
const step = 1.5;

/**
 * Spares the disk: each commit writes the last page of the log anew, so that few large commits write less than many
 * small ones. Where the rate of the last seconds would exceed the day's budget, the commit interval is raised step by
 * step; where there is enough left, it goes back. A day is 24 hours from the start of the process.
 */
export class WriteBudget {
  private intervalMs: number;
  private dayStartUs: number;
  private dayStartBytes: number;
  private lookedUs: number;
  private lookedBytes: number;
  private toldOver = false;

  /** `written`: bytes written by this process so far; undefined where nobody knows. */
  constructor(
    private readonly limits: WriteBudgetLimits,
    private readonly written: () => number | undefined,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    this.intervalMs = limits.commitIntervalMs;
    this.dayStartUs = this.lookedUs = clock.monotonicUs();
    this.dayStartBytes = this.lookedBytes = written() ?? 0;
  }

  get commitIntervalMs(): number {
    this.look();
    return this.intervalMs;
  }

  get state(): WriteState {
    return {
      writtenBytes: this.written(),
      budgetBytesPerDay: this.limits.bytesPerDay,
      commitIntervalMs: this.intervalMs,
    };
  }

  private look(): void {
    const { bytesPerDay, commitIntervalMs } = this.limits;
    const nowUs = this.clock.monotonicUs();
    if (bytesPerDay === undefined || nowUs - this.lookedUs < lookUs) return;
    const bytes = this.written();
    if (bytes === undefined) return;
    const rate = (bytes - this.lookedBytes) / (nowUs - this.lookedUs);
    this.lookedUs = nowUs;
    this.lookedBytes = bytes;
    if (nowUs - this.dayStartUs >= dayUs) {
      this.dayStartUs = nowUs;
      this.dayStartBytes = bytes;
      this.toldOver = false;
    }
    const left = bytesPerDay - (bytes - this.dayStartBytes);
    const allowed = left / (this.dayStartUs + dayUs - nowUs);
    if (rate > 0.9 * allowed) this.intervalMs = Math.min(this.longest, this.intervalMs * step);
    else if (rate < 0.5 * allowed) this.intervalMs = Math.max(commitIntervalMs, this.intervalMs / step);
    if (left < 0 && !this.toldOver) {
      this.toldOver = true;
      this.logger.warn(
        { bytesPerDay },
        "The day's budget of bytes written to disk is used up; writing goes on.",
      );
    }
  }

  private get longest(): number {
    return Math.max(commitIntervalMsMax, this.limits.commitIntervalMs);
  }
}

/** Bytes that this process has caused to be written to disk, by the pages that it changed. */
export function bytesWritten(): number | undefined {
  try {
    const [, bytes] = /^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8')) ?? [];
    return bytes === undefined ? undefined : Number(bytes);
  } catch {
    return undefined;
  }
}

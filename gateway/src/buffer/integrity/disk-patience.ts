import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';

/** A cable, a controller that starts anew: what gives errors for longer is taken for damaged. */
const patienceMs = 20_000;
const retryMs = 1000;

/**
 * Errors of a disk may last for a moment only, and what is taken for damage then is given up for good. So the work is
 * done again until the disk answers, or patience ends.
 */
export class DiskPatience {
  private readonly sinceMs: number;
  private isSaid = false;

  constructor(
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    this.sinceMs = this.nowMs;
  }

  /** False: what doesn't read now is damaged. */
  get lasts(): boolean {
    return this.nowMs - this.sinceMs < patienceMs;
  }

  /** Waits a moment before the work is done again. */
  async bear(error: unknown, signal?: AbortSignal): Promise<void> {
    if (!this.isSaid) {
      const text = `The disk of the buffer gives errors; trying again for ${patienceMs / 1000} s before anything of it is given up.`;
      this.logger.error({ error: String(error) }, text);
    }
    this.isSaid = true;
    await this.clock.sleep(retryMs, signal);
  }

  private get nowMs(): number {
    return this.clock.monotonicUs() / 1000;
  }
}

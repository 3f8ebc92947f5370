import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { FleetlogError } from '@fleetlog/shared/errors';

const libraries = ['x86_64', 'aarch64'].map(
  (machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`,
);

/** The wall clock of one process, which can be set while it runs (by libfaketime); its monotonic clock stays right. */
export class FalseClock {
  private constructor(private readonly path: string) {}

  /** `path`: of a file that says how far the clock is off. Errors: FLEETLOG_PLATFORM where libfaketime is missing. */
  static async create(path: string): Promise<FalseClock> {
    if (!libraries.some((library) => existsSync(library))) {
      throw new FleetlogError(
        'FLEETLOG_PLATFORM',
        'Clocks that jump need libfaketime: sudo apt-get install faketime.',
      );
    }
    const clock = new FalseClock(path);
    await clock.set(0);
    return clock;
  }

  /** What its process is started with. */
  get environment(): Record<string, string> {
    return {
      LD_PRELOAD: libraries.find((library) => existsSync(library)) ?? '',
      FAKETIME_TIMESTAMP_FILE: this.path,
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** Lets the clock be wrong by so much from now on. */
  async set(offsetUs: number): Promise<void> {
    const seconds = offsetUs / 1e6;
    const next = `${this.path}.next`; // a file that is half written would be another time
    await writeFile(next, `${seconds < 0 ? '' : '+'}${seconds}\n`);
    await rename(next, this.path);
  }
}

import { failureOf, type RunningProcess } from '../processes/processes.js';

/**
 * A process that is killed and started again on purpose. `done` resolves when it has ended well by itself, and rejects
 * with its sentence where it ended badly.
 */
export class Supervised {
  readonly done: Promise<void>;
  private readonly end = Promise.withResolvers<void>();
  private running: RunningProcess | undefined;
  /** How many reasons there are for it not to run. */
  private cuts = 0;
  private hasEnded = false;
  /** Whether it may fail, and did. */
  private isExcused = false;
  private hasFailed = false;

  constructor(private readonly start: () => RunningProcess) {
    this.done = this.end.promise;
    this.done.catch(() => undefined); // who asks gets it
    this.launch();
  }

  /** As a power cut does it: SIGKILL. Resolves when it is gone. */
  async cut(): Promise<void> {
    this.cuts++;
    const { running } = this;
    this.running = undefined;
    running?.child.kill('SIGKILL');
    await running?.exit;
  }

  /** While something that it can't work without is broken it may end badly; afterwards it is started again. */
  excuse(isExcused: boolean): void {
    this.isExcused = isExcused;
    if (!isExcused && this.hasFailed && this.cuts === 0) this.launch();
  }

  /** Power again; resolves with the new process, or undefined where there still is none. */
  restore(): RunningProcess | undefined {
    this.cuts--;
    if (this.cuts > 0 || this.hasEnded) return undefined;
    this.launch();
    return this.running;
  }

  private launch(): void {
    const running = this.start();
    this.running = running;
    this.hasFailed = false;
    void running.exit.then((status) => {
      if (this.running !== running) return; // it was cut
      this.hasFailed = this.isExcused && status !== 0;
      if (this.hasFailed) return;
      this.hasEnded = true;
      if (status === 0) this.end.resolve();
      else this.end.reject(failureOf(running));
    });
  }
}

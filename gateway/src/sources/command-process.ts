import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { systemCode } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import { Signal, type Clock } from '@fleetlog/shared/util';
import { waitForNews, type LiveInput } from './live-input.js';

/** Between the end of the output, SIGTERM and SIGKILL. */
const PATIENCE_MS = 2000;

/** A command in a process group of its own, so that what a shell starts ends with it; its standard error is logged. */
export class CommandProcess implements LiveInput {
  ended = false;
  private readonly child: ChildProcess;
  private readonly output: Readable;
  private readonly news = new Signal();
  private closed = false;

  /** `command` is a line for /bin/sh, or program and arguments. */
  constructor(
    command: string | readonly string[],
    private readonly clock: Clock,
    logger: Logger,
  ) {
    const [program, ...parameters] = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
    this.child = spawn(program, parameters, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.output = this.child.stdout!;
    createInterface({ input: this.child.stderr! }).on('line', (text) =>
      logger.warn({ text }, 'The command says:'),
    );
    this.child.once('error', (error) => {
      logger.error({ code: systemCode(error) }, `The command can't be started: ${error.message}.`);
      this.closed = true;
      this.endOutput();
    });
    this.child.once('close', (status, signal) => {
      logger.info({ status, signal }, `The command ended (${signal ?? `status ${status}`}).`);
      this.closed = true;
      this.news.set();
    });
    this.output.on('readable', () => this.news.set());
    for (const event of ['end', 'close', 'error']) this.output.once(event, () => this.endOutput());
  }

  get arrivalUs(): number {
    return this.clock.monotonicUs();
  }

  read(): Uint8Array | null {
    return this.output.read() as Uint8Array | null;
  }

  async more(timeoutMs: number, signal: AbortSignal): Promise<void> {
    // What came while the caller was at something else has been told already, and won't be told again.
    if (!this.ended && this.output.readableLength === 0)
      await waitForNews(this.news, this.clock, timeoutMs, signal);
  }

  /** Resolves when the command has ended; it is told to, at once or after some patience, and then made to. */
  async stop(atOnce: boolean): Promise<void> {
    this.output.destroy();
    if (!atOnce) await this.waitForClose();
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      if (this.closed) return;
      this.signalGroup(signal);
      await this.waitForClose();
    }
  }

  private endOutput(): void {
    this.ended = true;
    this.news.set();
  }

  private async waitForClose(): Promise<void> {
    const untilUs = this.clock.monotonicUs() + PATIENCE_MS * 1000;
    for (;;) {
      const leftMs = (untilUs - this.clock.monotonicUs()) / 1000;
      if (this.closed || leftMs <= 0) return;
      await waitForNews(this.news, this.clock, leftMs);
    }
  }

  private signalGroup(signal: NodeJS.Signals): void {
    const { pid } = this.child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      if (systemCode(error) !== 'ESRCH') throw error;
    }
  }
}

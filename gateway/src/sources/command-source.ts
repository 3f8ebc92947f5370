import type { StreamKind } from '@fleetlog/shared/batch';
import { CommandProcess } from './command-process.js';
import { LiveText, type LiveTextOptions } from './live-text.js';
import type { BatchSink, Source, SourceCounters } from './source.js';

const RESTART_MS_MIN = 1000;
const RESTART_MS_MAX = 30_000;
export interface CommandSourceOptions extends LiveTextOptions {
  /** A line for /bin/sh, or program and arguments. */
  command: string | readonly string[];
}

/**
 * The standard output of a command, such as `candump -L can0`. It is live: it can't go back, and a command that ends
 * is started again after 1 s, 2 s … 30 s. Its standard error goes to the log. While the sink has no room its output
 * isn't read, so that the command has to wait.
 */
export class CommandSource implements Source {
  readonly kind: StreamKind;
  readonly finite = false;
  readonly counters: SourceCounters = { records: 0, malformed: 0, timeReversals: 0 };

  constructor(private readonly options: CommandSourceOptions) {
    this.kind = options.createFeed(options.createClock()).kind;
  }

  async run(sink: BatchSink, _position: Uint8Array | undefined, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.options;
    let restartMs = RESTART_MS_MIN;
    while (!signal.aborted) {
      const recordsBefore = this.counters.records;
      await this.runOnce(sink, signal);
      if (signal.aborted) return;
      if (this.counters.records > recordsBefore) restartMs = RESTART_MS_MIN;
      logger.warn({ restartMs }, `The command is started again in ${restartMs / 1000} s.`);
      await clock.sleep(restartMs, signal).catch(() => undefined);
      restartMs = Math.min(2 * restartMs, RESTART_MS_MAX);
    }
  }

  /** Resolves when the command has ended and all of its output is put. */
  private async runOnce(sink: BatchSink, signal: AbortSignal): Promise<void> {
    const { command, clock, logger } = this.options;
    const place = typeof command === 'string' ? command : command.join(' ');
    const child = new CommandProcess(command, clock, logger);
    try {
      await new LiveText(this.options, place, this.counters, sink).read(child, signal);
    } finally {
      await child.stop(signal.aborted);
    }
  }
}

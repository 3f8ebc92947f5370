import type { StreamKind } from '@fleetlog/shared/batch';
import { stat } from 'node:fs/promises';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import type { TwoWayInput } from '../live-input.js';
import type { BatchSink, Source, SourceCounters } from '../source.js';
import { SerialInput, type SerialSettings } from './serial-input.js';

/** How often an open port is looked at whether it is still there: a pulled plug often goes unnoticed. */
const WATCH_MS = 1000;

export interface SerialSourceOptions {
  kind: StreamKind;
  settings: SerialSettings;
  /** Silence after which the port is opened anew; Infinity never. */
  silenceMs: number;
  clock: Clock;
  logger: Logger;
  /** Brings what comes into batches until the input ends; a new one for each life of the port. */
  createReader: (counters: SourceCounters, sink: BatchSink) => LiveReader;
}

interface LiveReader {
  read(input: TwoWayInput, signal: AbortSignal): Promise<void>;
}

/**
 * A serial line. It is live: it can't go back. A port that isn't there, that is lost, or that is silent for too long is
 * an error of its own, after which who supervises opens it again.
 */
export class SerialSource implements Source {
  readonly kind: StreamKind;
  readonly finite = false;
  readonly counters: SourceCounters = { records: 0, malformed: 0, timeReversals: 0 };

  constructor(private readonly options: SerialSourceOptions) {
    this.kind = options.kind;
  }

  /** Errors: FLEETLOG_SOURCE. */
  async run(sink: BatchSink, _position: Uint8Array | undefined, signal: AbortSignal): Promise<void> {
    const { settings, clock, logger } = this.options;
    const input = await SerialInput.open(settings, clock);
    logger.info({ baud: settings.baud }, `Reading ${settings.path} at ${settings.baud} baud.`);
    const lost = new AbortController();
    const watch = this.watch(input, lost);
    try {
      await this.options
        .createReader(this.counters, sink)
        .read(input, AbortSignal.any([signal, lost.signal]));
    } finally {
      lost.abort();
      await Promise.allSettled([watch, input.close()]);
    }
    if (signal.aborted) return;
    const failure = input.failure ?? (await watch);
    if (failure) throw failure;
  }

  /** Why the port must be opened anew, as soon as it must; undefined where something else ended it. */
  private async watch(input: SerialInput, lost: AbortController): Promise<FleetlogError | undefined> {
    const { settings, silenceMs, clock } = this.options;
    const { path } = settings;
    const device = await deviceOf(path);
    const openedUs = clock.monotonicUs();
    while (!lost.signal.aborted) {
      await clock.sleep(WATCH_MS, lost.signal).catch(() => undefined);
      if (lost.signal.aborted) return undefined;
      const silentMs = (clock.monotonicUs() - Math.max(openedUs, input.heardUs)) / 1000;
      const now = await deviceOf(path);
      let why: string | undefined;
      if (now === undefined) why = `${path} is gone; it is opened as soon as it is plugged in again`;
      else if (now !== device) why = `${path} is another device now, which is opened`;
      else if (silentMs >= silenceMs) {
        why = `Nothing came from ${path} for ${silenceMs / 1000} s; it is opened anew. If the sensor is meant to be silent, set "silence: off"`;
      }
      if (why === undefined) continue;
      lost.abort();
      return new FleetlogError('FLEETLOG_SOURCE', `${why}.`);
    }
    return undefined;
  }
}

/** What a path leads to, followed through links; undefined where it leads nowhere. */
async function deviceOf(path: string): Promise<string | undefined> {
  try {
    const { rdev, ino, dev } = await stat(path);
    return `${rdev}:${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

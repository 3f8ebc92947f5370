import type { StreamKind } from '@fleetlog/shared/batch';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import type { TwoWayInput } from './live-input.js';
import type { QueuedInput } from './queued-input.js';
import type { BatchSink, Source, SourceCounters } from './source.js';

/** How often an open line is looked at: that it is lost often goes unnoticed. */
const WATCH_MS = 1000;

export interface LiveSourceOptions {
  kind: StreamKind;
  /** What errors call it. */
  place: string;
  /** Errors: FLEETLOG_SOURCE with a sentence that says what to do. */
  open: (signal: AbortSignal) => Promise<QueuedInput>;
  /** What the line leads to, undefined where it is gone; absent where nobody can know. */
  identify?: (() => Promise<string | undefined>) | undefined;
  /** Silence after which the line is opened anew; Infinity never. */
  silenceMs: number;
  clock: Clock;
  /** Brings what comes into batches until the input ends; a new one for each life of the line. */
  createReader: (counters: SourceCounters, sink: BatchSink) => LiveReader;
}

interface LiveReader {
  read(input: TwoWayInput, signal: AbortSignal): Promise<void>;
}

/**
 * A line on which bytes come by themselves; it can't go back. One that isn't there, that is lost, or that is silent for
 * too long is an error of its own, after which who supervises opens it again.
 */
export class LiveSource implements Source {
  readonly kind: StreamKind;
  readonly finite = false;
  readonly counters: SourceCounters = { records: 0, malformed: 0, timeReversals: 0 };

  constructor(private readonly options: LiveSourceOptions) {
    this.kind = options.kind;
  }

  /** Errors: FLEETLOG_SOURCE. */
  async run(sink: BatchSink, _position: Uint8Array | undefined, signal: AbortSignal): Promise<void> {
    const { open, createReader } = this.options;
    const input = await open(signal);
    const ended = new AbortController();
    const watching = this.watch(input, ended.signal);
    try {
      await createReader(this.counters, sink).read(input, signal);
    } finally {
      ended.abort();
      await Promise.allSettled([watching, input.close()]);
    }
    if (!signal.aborted && input.failure) throw input.failure;
  }

  private async watch(input: QueuedInput, ended: AbortSignal): Promise<void> {
    const { place, silenceMs, clock, identify } = this.options;
    const identity = await identify?.();
    for (;;) {
      await clock.sleep(WATCH_MS, ended).catch(() => undefined);
      if (ended.aborted) return;
      const now = await identify?.();
      const silentMs = (clock.monotonicUs() - input.heardUs) / 1000;
      let why: string | undefined;
      if (now !== identity) {
        why =
          now === undefined
            ? `${place} is gone; it is opened as soon as it is plugged in again`
            : `${place} is another device now, which is opened`;
      } else if (silentMs >= silenceMs) {
        why = `Nothing came from ${place} for ${silenceMs / 1000} s; it is opened anew. If silence is right, set "silence: off"`;
      }
      if (why !== undefined) return input.fail(new FleetlogError('FLEETLOG_SOURCE', `${why}.`));
    }
  }
}

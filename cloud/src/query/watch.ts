import type { Clock } from '@fleetlog/shared/util';

export interface QueryLimits {
  /** Rows of an answer. */
  rowsMax: number;
  /** Time that a query may work for, waiting for its client included. */
  timeMsMax: number;
}

/** Why an answer ends before its end, and the time of the first row that is missing. */
export interface QueryStop {
  reason: 'rows' | 'time';
  atUs: number;
}

/** Thrown inside of a query whose time is over. */
class TimeIsOver extends Error {}

/** Looks after one query: ends its work when the client is gone, or a limit is reached. */
export class QueryWatch {
  stop: QueryStop | undefined;
  private readonly endUs: number;

  constructor(
    readonly limits: QueryLimits,
    private readonly clock: Clock,
    private readonly signal: AbortSignal,
  ) {
    this.endUs = clock.monotonicUs() + 1000 * limits.timeMsMax;
  }

  /** Called once per batch, or more often. Throws where the query is to end. */
  readonly check = (): void => {
    this.signal.throwIfAborted();
    if (this.clock.monotonicUs() >= this.endUs) throw new TimeIsOver('the time of a query is over');
  };

  /** What was thrown inside of the query: an error, or its time was over before the row behind `lastUs`. */
  failed(error: unknown, nextUs: number): void {
    if (!(error instanceof TimeIsOver)) throw error;
    this.stop = { reason: 'time', atUs: nextUs };
  }
}

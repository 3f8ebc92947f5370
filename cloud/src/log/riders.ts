import type { Clock } from '@fleetlog/shared/util';
import type { LogNote } from './log.js';

/** The next append begins sooner than this, or the notes are written by themselves. */
const rideMsMax = 100;

interface Rider {
  notes: readonly LogNote[];
  settle: (error?: unknown) => void;
}

/** What goes with one write: its notes, and whom to tell. */
export interface Boarded {
  notes: LogNote[];
  settle: (error?: unknown) => void;
}

/**
 * Notes without entries that go with the next append, while appends follow one another: a barrier of their own, for
 * each checkpoint of a hundred groups, would take that time from ingest.
 */
export class NoteRiders {
  private waiting: Rider[] = [];

  constructor(private readonly clock: Clock) {}

  /** Durable when it resolves. `alone` writes what no append has taken. Errors: those of the write. */
  ride(notes: readonly LogNote[], alone: () => Promise<unknown>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const rider: Rider = {
      notes,
      settle: (error) => (error === undefined ? resolve() : reject(error as Error)),
    };
    this.waiting.push(rider);
    if (this.waiting.length === 1) {
      void this.clock.sleep(rideMsMax).then(async () => {
        // One that fails before it begins has taken nobody.
        if (this.waiting.includes(rider)) await alone().catch((error: unknown) => this.board().settle(error));
      });
    }
    return promise;
  }

  get areWaiting(): boolean {
    return this.waiting.length > 0;
  }

  /** All that wait, in their order: theirs is what becomes of the write. */
  board(): Boarded {
    const boarded = this.waiting;
    this.waiting = [];
    return {
      notes: boarded.flatMap(({ notes }) => notes),
      settle: (error) => {
        for (const { settle } of boarded) settle(error);
      },
    };
  }
}

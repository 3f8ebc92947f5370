import { FleetlogError } from '@fleetlog/shared/errors';

/** By partition: offset of the first entry that isn't finished. */
export type Positions = ReadonlyMap<number, number>;

/** What a member is told, in the order in which it happens. */
export type ConsumerEvent =
  /** First of all: who the member is. `isNew`: nobody of this group had a checkpoint, so it begins where `from` said. */
  | { event: 'joined'; group: string; member: string; isNew: boolean }
  /** The partition is this member's, from `next` on. */
  | { event: 'assigned'; partition: number; next: number }
  /** Nothing more of the partition comes; what was delivered may still be committed until `lost`. */
  | { event: 'revoked'; partition: number }
  /** Commits of the partition are refused from now on: another member has it. */
  | { event: 'lost'; partition: number }
  | {
      event: 'batch';
      partition: number;
      offset: number;
      receiveTimeUs: number;
      bytes: Uint8Array;
      /** In the order of event time, where offsets don't ascend: what may be committed when this is finished. */
      next?: number;
      /** In the order of event time: one that began later was given before, since the wait was over. */
      late?: true;
    }
  /** What is before `next` wasn't for this member (a filter), and may be committed as finished. */
  | { event: 'position'; partition: number; next: number }
  /**
   * Entries that aren't there: trimmed before the group read them, unreadable, or of offsets that may have been given
   * before the log was restored from a backup.
   */
  | {
      event: 'skipped';
      partition: number;
      first: number;
      last: number;
      cause: keyof SkippedCounters | 'restored';
    }
  /** All that was in the log when the member came was given to it or to others (`untilEnd`). */
  | { event: 'end' }
  /** A sign of life, where nothing else happened. */
  | { event: 'alive' };

/** Batches that members were to read and that weren't there, since the cloud's start. */
export interface SkippedCounters {
  trimmed: number;
  unreadable: number;
}

export interface GroupCounters {
  readonly skipped: SkippedCounters;
  /** Batches that were given behind later ones, to members that asked for the order of event time. */
  late: number;
}

export interface ConsumeFilter {
  /** Only these; all where it isn't given. */
  gateways?: ReadonlySet<string> | undefined;
  streams?: ReadonlySet<string> | undefined;
}

const groupPattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** Errors: FLEETLOG_USAGE. */
export function checkGroupName(name: string): void {
  if (groupPattern.test(name)) return;
  throw new FleetlogError(
    'FLEETLOG_USAGE',
    `"${name.slice(0, 63)}" can't be the name of a group; use a-z, 0-9, dot, - and _, at most 63.`,
  );
}

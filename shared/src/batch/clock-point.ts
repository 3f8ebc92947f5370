import { clockStates, type ClockState, type EventRecord } from './types.js';

/** What a gateway knew of the true time at one moment of a boot: content of its `clock.…` events. */
export interface ClockPoint {
  monotonicUs: number;
  /** True wall time = monotonic + this, as far as the source knows. */
  wallOffsetUs: number;
  state: ClockState;
  /** Upper bound of the error, µs; -1 where nobody knows. */
  uncertaintyUs: number;
  /** Who says so: `system`, `ntp`, `gps`, `manual`. */
  source: string;
}

/** Types of the events that carry a clock point. */
export const clockEventTypes = {
  /** A start of the gateway: how the clock stands. */
  start: 'clock.start',
  /** The time became known, or better known, without a step. */
  set: 'clock.set',
  /** What times are stamped with was changed by `stepUs`. */
  step: 'clock.step',
  /** A later look at the same source; tells of drift. */
  reference: 'clock.reference',
} as const;

const types: ReadonlySet<string> = new Set(Object.values(clockEventTypes));

export const clockPointAttributes = ({
  monotonicUs,
  wallOffsetUs,
  state,
  uncertaintyUs,
  source,
}: ClockPoint): Record<string, string | number> => ({
  monotonicUs,
  wallOffsetUs,
  state,
  uncertaintyUs,
  source,
});

/** Undefined for an event that isn't one of a clock, or doesn't hold a point. */
export function readClockPoint({ type, attributes }: EventRecord): ClockPoint | undefined {
  if (!types.has(type)) return undefined;
  const { monotonicUs, wallOffsetUs, state, uncertaintyUs, source } = attributes;
  const isPoint =
    isTime(monotonicUs) &&
    isTime(wallOffsetUs) &&
    isTime(uncertaintyUs) &&
    typeof source === 'string' &&
    clockStates.includes(state as ClockState);
  return isPoint
    ? { monotonicUs, wallOffsetUs, state: state as ClockState, uncertaintyUs, source }
    : undefined;
}

/** Further away than the year 2112 no time is kept. */
const isTime = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Math.abs(value as number) < 2 ** 52;

/** A part that is failing slowly, for people who try to see it coming. */
export const failingParts = ['weak-cell', 'coolant-leak'] as const;
export type FailingPart = (typeof failingParts)[number];

/** Resistance that a weak cell has beyond a sound one's, as part of that: at the start, and more each hour. */
const WEAK_AT_START = 0.5;
const WEAKER_PER_HOUR = 4;
/** Coolant that a leak takes in an hour, as part of what there was; what lies below the leak stays. */
const LEAKS_PER_HOUR = 0.6;
const COOLANT_LEFT = 0.15;

/** Ω in series with the battery, for one cell of resistance `soundOhm`. */
export const weakCellOhm = (soundOhm: number, seconds: number): number =>
  soundOhm * (WEAK_AT_START + (WEAKER_PER_HOUR * seconds) / 3600);

/** What a cooling circuit that leaks carries away, as part of what it would when full: the less there is, the less flows. */
export const leakyCooling = (seconds: number): number =>
  Math.max(COOLANT_LEFT, 1 - (LEAKS_PER_HOUR * seconds) / 3600) ** 2;

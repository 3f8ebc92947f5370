/*
 * Columns of symbols, in the order in which they are coded; each has a table of its own.
 *
 * Changes and ranks have several: a lane names one by its level, from quiet to noisy, so that they don't spoil each
 * other's tables.
 */
export const FOLLOWER = 0;
export const TIME = 1;
export const FIRST = 2;
export const LANE = 3;
export const LEVELS = 4;
export const CHANGES = 4; // one of each level
export const RANK_LEVELS = 2;
export const RANKS = CHANGES + LEVELS; // one of each level
export const COLUMNS = RANKS + RANK_LEVELS;

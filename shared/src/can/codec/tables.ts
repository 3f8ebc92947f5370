/**
 * Numbers of the frequency tables, by column. A column with several tables picks one by what is known already (its
 * context), so that each table sees symbols of one kind of distribution.
 */
export const CONTEXTS = 12;

let next = 0;
const take = (count: number): number => (next += count) - count;

/** Counts, identifiers' forms and other numbers of which there are few. */
export const SMALL = take(1);
export const FORM = take(1);
export const FOLLOWER = take(5);
export const TICK = take(4);
export const STEP = take(2);
export const TIME = take(CONTEXTS);
export const FIRST = take(4);
export const LANE = take(3);
export const NUMBER = take(CONTEXTS);
export const RANK = take(CONTEXTS);
export const TABLES = next;

import { SCALES } from './scaled-symbols.js';

/**
 * Numbers of the frequency tables, by column. A column with several tables picks one by what is known already (its
 * context), so that each table sees symbols of one kind of distribution.
 */
let next = 0;
const take = (count: number): number => (next += count) - count;

/** Counts and other numbers of which there are few. */
export const SMALL = take(1);
/** How a channel is described. */
export const FORM = take(1);
/** A lane's first byte, by the symbol of the lane before. */
export const FIRST = take(4);
/** A lane's kind, by its first byte: 0, 255, another. */
export const LANE = take(3);
/** The next channel, by how sure the first candidate is. */
export const FOLLOWER = take(5);
/** The next tick, by whether the frame before, and the channel's latest one, came in the tick of their predecessors. */
export const TICK = take(4);

/*
 * Columns whose contexts come from the recent size of their own symbols (scaled-symbols.ts): each list names the table
 * by scale.
 */
export const DEVIATION = scaled(40);
export const CHANGES = scaled(4, 12, 24, 40);
export const RANKS = scaled(4, 12);

export const TABLES = next;

/** Tables for the scales below the first bound, below the second, and so on, and for those from the last bound on. */
function scaled(...bounds: number[]): Uint8Array {
  const first = take(bounds.length + 1);
  return Uint8Array.from(
    { length: SCALES },
    (_, scale) => first + bounds.filter((bound) => scale >= bound).length,
  );
}

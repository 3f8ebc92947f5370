import { LEVELS, RANK_LEVELS } from './tables.js';

/*
 * The data of a channel's frames as lanes: lane k is byte k of each of them. Most lanes never change, others count, drift
 * with a signal, or follow from others as checksums do; so each has a kind of its own.
 *
 * data    = { first } { byte } { lane } { details } { events } { rest } { byte }
 * first   = symbol          ; of each lane of each channel: its byte in the channel's first frame. 0 it is 0, 1 it is 255,
 *                           ; 2 it is that of the lane before, 3 a byte follows behind the firsts
 * lane    = symbol          ; of each lane of each channel that has several frames: 0 CONSTANT, 1 RARE, 2 PLAIN, then
 *                           ; the kinds with levels, each with its quietest level first; of a WIDE pair the second is
 *                           ; CONSTANT
 * details = { other } { summand }                  ; of each of these channels
 * other   = 6 bits          ; of each DISTANCE lane
 * summand = bit             ; of each lane that isn't CONSTANT or SUM, where the channel has a SUM lane: whether it is added
 * events  = count { gap step }                     ; of each RARE lane: how many changes, and of each of them
 * count   = number          ; at least 1, and at most an eighth of the channel's frames
 * gap     = number          ; frames that are as the one before, since the last change
 * step    = number          ; zigzag of the difference
 * rest    = bits            ; of the numbers of each level (numbers.ts)
 * byte    = 8 bits          ; of each first 3; at the end, of each rank 7, and of each frame of a PLAIN lane
 *
 * CHANGE, CURVE, WIDE, DISTANCE and SUM lanes have a number, RECENT_… lanes a rank for each frame of the channel but the
 * first, in the column of their level. Everything comes channel by channel, lane by lane, a channel's SUM lane behind its
 * others.
 */
export const CONSTANT = 0; // as in the first frame
export const RARE = 1; // as in the frame before, but for a few changes
export const PLAIN = 2; // the bytes themselves
export const CHANGE = 3; // difference to the frame before
export const CURVE = 4; // difference of that difference to the one before, which is 0 at first
export const WIDE = 5; // with the next lane a big-endian number of 16 bits: difference to the frame before
export const DISTANCE = 6; // difference of the distance to a lane before it, which is not a SUM
export const SUM = 7; // difference of the sum with other lanes; one lane at most
export const RECENT_CHANGE = 8; // difference to the frame before, by how recently it occurred
export const RECENT_VALUE = 9; // value, by how recently it occurred

const ranked = CHANGE + (RECENT_CHANGE - CHANGE) * LEVELS;
export const LANE_SYMBOLS = ranked + 2 * RANK_LEVELS;

/** The symbol that stands for a kind with a level. */
export function laneSymbol(kind: number, level: number): number {
  if (kind < CHANGE) return kind;
  return kind < RECENT_CHANGE
    ? CHANGE + (kind - CHANGE) * LEVELS + level
    : ranked + (kind - RECENT_CHANGE) * RANK_LEVELS + level;
}

/** Of each symbol its kind and its level. */
export const kindOf = new Uint8Array(LANE_SYMBOLS);
export const levelOf = new Uint8Array(LANE_SYMBOLS);
for (let kind = CONSTANT; kind <= RECENT_VALUE; kind++) {
  const levels = kind < CHANGE ? 1 : kind < RECENT_CHANGE ? LEVELS : RANK_LEVELS;
  for (let level = 0; level < levels; level++) {
    const symbol = laneSymbol(kind, level);
    kindOf[symbol] = kind;
    levelOf[symbol] = level;
  }
}

/** Frames of a channel for each change of a RARE lane, at least. */
export const RARITY = 8;

/** First bytes. */
export const FIRST_ZERO = 0;
export const FIRST_ONES = 1;
export const FIRST_REPEATED = 2;
export const FIRST_OTHER = 3;
export const FIRST_SYMBOLS = 4;

/** How many values "by how recently" remembers; as a rank: another value, which follows as byte. */
export const RECENT = 7;
/** What it remembers at first; of values: with the first frame's added. */
export const recentStart = Uint8Array.of(0, 1, 255, 2, 254, 3, 253);

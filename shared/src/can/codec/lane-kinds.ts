/*
 * The data of a channel's frames as lanes: lane k is byte k of each of them. Most lanes never change, others count, drift
 * with a signal, or follow from others as checksums do; so each has a kind of its own.
 *
 * data    = { lanes } changes ranks { byte }
 * lanes   = { first } [ { kind } { other } { summand } ]   ; one for each channel whose frames have data, in their order
 * first   = symbol [ 8 bits ]         ; of each lane: its byte in the channel's first frame. 0 it is 0, 1 it is 255,
 *                                     ; 2 it is that of the lane before, 3 the bits follow
 * kind    = symbol                    ; of each lane, where the channel has several frames; a WIDE one covers two lanes
 * other   = 6 bits                    ; of each DISTANCE lane
 * summand = bit                       ; of each SUM lane: of each lane that is neither CONSTANT nor SUM, whether it is added
 * changes = numbers                   ; zigzag: a column of each CHANGE, CURVE, WIDE, DISTANCE and SUM lane
 * ranks   = { symbol }                ; a column of each RECENT_CHANGE and RECENT_VALUE lane
 * byte    = 8 bits                    ; of each rank 7 and each frame of a PLAIN lane
 *
 * Columns have a place for each frame of the channel but the first. They, and the bytes, come channel by channel, lane by
 * lane, a channel's SUM lanes behind its others.
 */
export const CONSTANT = 0; // as in the first frame
export const CHANGE = 1; // difference to the frame before
export const CURVE = 2; // difference of that difference to the one before, which is 0 at first
export const RECENT_CHANGE = 3; // difference to the frame before, by how recently it occurred
export const RECENT_VALUE = 4; // value, by how recently it occurred
export const WIDE = 5; // with the next lane a big-endian number of 16 bits: difference to the frame before
export const PLAIN = 6; // the bytes themselves
export const DISTANCE = 7; // difference of the distance to a lane before it, which is not a SUM
export const SUM = 8; // difference of the sum with other lanes

/** First bytes. */
export const FIRST_ZERO = 0;
export const FIRST_ONES = 1;
export const FIRST_REPEATED = 2;
export const FIRST_OTHER = 3;

/** How many values "by how recently" remembers; as a rank: another value, which follows as byte. */
export const RECENT = 7;
/** What it remembers at first; of values: with the first frame's added. */
export const recentStart = Uint8Array.of(0, 1, 255, 2, 254, 3, 253);

/** The table of a lane's kind, by the lane's first byte. */
export const kindContext = (first: number): number => (first === 0 ? 0 : first === 255 ? 1 : 2);

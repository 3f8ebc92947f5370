/** How the bytes of a lane are told from the lane's byte in the channel's first frame on. */
export const CONSTANT = 0; // all as the first
export const CHANGE = 1; // difference to the frame before
export const CURVE = 2; // difference of differences
export const RECENT_CHANGE = 3; // difference to the frame before, by how recently it occurred
export const RECENT_VALUE = 4; // value, by how recently it occurred
export const WIDE = 5; // with the next lane a big-endian number of 16 bits: difference to the frame before
export const PLAIN = 6; // the byte itself
export const DISTANCE = 7; // change of the distance to an earlier lane
export const SUM = 8; // change of the sum with other lanes
export const LANE_KINDS = 9;

/** Values that "by how recently" remembers; the rank behind the last means another value, which follows. */
export const RECENT = 7;
/** What they start with, less the first value where it isn't a change. */
export const recentStart = Uint8Array.of(0, 1, 255, 2, 254, 3, 253);

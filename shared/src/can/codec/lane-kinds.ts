/*
 * The data of a channel's frames as lanes: lane k is byte k of each of them. Most lanes never change, others count, drift
 * with a signal, or follow from others as checksums do; so each has a kind of its own.
 *
 * data    = { first } { byte } { kind } { other } { summand } events changes ranks { byte }
 * first   = symbol          ; of each lane of each channel: its byte in the channel's first frame. 0 it is 0, 1 it is 255,
 *                           ; 2 it is that of the lane before, 3 a byte follows behind all firsts
 * kind    = symbol          ; of each lane of each channel that has several frames
 * other   = 6 bits          ; of each DISTANCE lane
 * summand = bit             ; of each SUM lane: of each lane of the channel that is neither CONSTANT, SUM nor the second of
 *                           ; a WIDE pair: whether it is added (of a pair: whether both are)
 * events  = numbers         ; a column for each RARE lane: count of changes, and of each frames since the last one less
 *                           ; one, and zigzag difference
 * changes = numbers         ; zigzag: a column for each CHANGE, CURVE, WIDE, DISTANCE and SUM lane
 * ranks   = { symbol }      ; a column for each RECENT_CHANGE and RECENT_VALUE lane
 * byte    = 8 bits          ; of each first 3; at the end, of each rank 7 and each frame of a PLAIN lane
 *
 * Columns but `events` have a place for each frame of the channel but the first. They, and the bytes, come channel by
 * channel, lane by lane, a channel's SUM lane behind its others.
 */

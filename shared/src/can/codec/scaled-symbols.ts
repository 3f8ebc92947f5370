/*
 * A scale follows the recent size of a column's values, in sixteenths; its binary length picks the table of the next
 * symbol. So quiet and noisy stretches, and quiet and noisy columns, don't spoil each other's tables, and nothing has to
 * be sent for it.
 *
 *   scale  = 64 before the first symbol of a column
 *   scale += (size(symbol) - scale) >> 2            ; arithmetic shift: rounds towards minus infinity
 *   table  = tables[binary length of scale]
 */
export const SCALE_START = Number(process.env.S0 ?? 48);
export const SCALE_SHIFT = Number(process.env.SH ?? 2);

/** The size of each symbol of a number (numbers.ts): sixteen times the least number that it starts, 65520 at most. */
export const numberSizes = Uint16Array.from({ length: 32 }, (_, symbol) =>
  16*symbol,
);

/** The size of each rank. */
export const rankSizes = Uint16Array.from({ length: 32 }, (_, rank) => 16 * rank);

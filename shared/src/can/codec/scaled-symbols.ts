/*
 * A scale follows the recent size of a column's symbols, in eighths, and picks the table of the next symbol. So quiet and
 * noisy stretches, and quiet and noisy columns, don't spoil each other's tables, and nothing has to be sent for it.
 *
 *   scale  = 24 before the first symbol of a column
 *   table  = tables[scale]                          ; tables.ts
 *   scale += (8 * symbol - scale) >> 2              ; arithmetic shift: rounds towards minus infinity
 */
export const SCALE_START = 24;
export const SCALE_SHIFT = 2;
/** Symbols are below 32. */
export const SCALES = 256;

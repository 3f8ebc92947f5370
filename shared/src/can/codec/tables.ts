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
 * Columns of similar things, whose contexts come from the recent size of their own values (scaled-symbols.ts). Each of
 * these lists names the table by the binary length of the scale.
 */

const E=(globalThis as any).process?.env; const P=(k:string,d:string)=>(E?.[k]??d).split(',').map(Number);
function lut(bounds:number[]):number[]{ const o:number[]=[]; let t=0; for(let i=0;i<128;i++){ while(t<bounds.length&&i*4>=bounds[t])t++; o.push(t);} return o; }
export const DEVIATION = scaled(lut(P('PD','56,76,96,116')));
export const CHANGES = scaled(lut(P('PC','4,12,24,40,56,76,96,120')));
export const RANKS = scaled(lut(P('PR','4,12,24,40')));
export const TABLES = next;

function scaled(offsets: number[]): Uint8Array {
  const first = take(Math.max(...offsets) + 1);
  return Uint8Array.from(offsets, (offset) => first + offset);
}

/** How what the log holds of a minute differs from what was said in it. */
export interface MinuteDiff {
  /** Said, and not in the log. */
  lost: Uint8Array[];
  /** In the log more often than they were said. */
  duplicated: number;
  /** In the log, and never said. */
  foreign: number;
  /** Behind one that was said after them. */
  outOfOrder: number;
}

/** Compares line by line. Equal lines, such as those of a receiver without a fix, are told apart by their order only. */
export function diffMinute(said: readonly Uint8Array[], logged: readonly Uint8Array[]): MinuteDiff {
  const places = new Map<string, number[]>();
  for (const [i, line] of said.entries()) {
    const key = keyOf(line);
    const known = places.get(key);
    if (known) known.push(i);
    else places.set(key, [i]);
  }
  const used = new Map<string, number>();
  const held = new Uint8Array(said.length);
  const diff: MinuteDiff = { lost: [], duplicated: 0, foreign: 0, outOfOrder: 0 };
  let furthest = -1;
  for (const line of logged) {
    const key = keyOf(line);
    const at = places.get(key);
    const count = used.get(key) ?? 0;
    if (!at) diff.foreign++;
    else if (count === at.length) diff.duplicated++;
    else {
      used.set(key, count + 1);
      held[at[count]] = 1;
      if (at[count] < furthest) diff.outOfOrder++;
      furthest = Math.max(furthest, at[count]);
    }
  }
  diff.lost = said.filter((_, i) => held[i] === 0);
  return diff;
}

const keyOf = (line: Uint8Array): string =>
  Buffer.from(line.buffer, line.byteOffset, line.length).toString('latin1');

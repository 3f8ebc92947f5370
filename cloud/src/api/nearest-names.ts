import { FleetlogError } from '@fleetlog/shared/errors';

const shownMax = 5;

/** FLEETLOG_NOT_FOUND with the names that there are, the most alike first. */
export function unknownName(what: string, name: string, names: readonly string[]): FleetlogError {
  return new FleetlogError(
    'FLEETLOG_NOT_FOUND',
    names.length > 0
      ? `There is no ${what} ${name}; there are ${mostAlike(name, names)}.`
      : `There is no ${what} ${name}; nothing was received yet.`,
  );
}

/** Some of the names as people read them, the one that is most like `name` first. */
export function mostAlike(name: string, names: readonly string[]): string {
  const byLikeness = names
    .map((other) => ({ other, distance: editDistance(name, other) }))
    .sort((a, b) => a.distance - b.distance || (a.other < b.other ? -1 : 1))
    .map(({ other }) => other);
  const shown = byLikeness.slice(0, shownMax).join(', ');
  return names.length > shownMax ? `${shown} and ${names.length - shownMax} more` : shown;
}

/** Letters to insert, delete or replace to make one of the other (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}

import { FleetlogError } from '@fleetlog/shared/errors';
import type { Assignment, LoadedDatabase } from './types.js';
import { byStart, checkValidity, overlap, validityText, without } from './validity.js';

export interface AssignmentChange {
  /** Other assignments of the stream give way where they would be in the way. */
  replace: boolean;
}

interface Databases {
  load(name: string, version?: string): Promise<LoadedDatabase>;
}

/** Identifiers that are named where two databases describe the same ones. */
const shownMax = 4;

/**
 * The assignments with one more. At any moment an identifier of a stream has one meaning: several databases may apply
 * at a time where they describe different identifiers.
 * Errors: FLEETLOG_NOT_FOUND for the database, FLEETLOG_USAGE for an empty validity, or one in which another assignment
 * says what the same identifiers mean, unless that one is to be replaced.
 */
export async function addAssignment(
  assignments: readonly Assignment[],
  added: Assignment,
  { replace }: AssignmentChange,
  databases: Databases,
): Promise<Assignment[]> {
  checkValidity(added);
  const own = await databases.load(added.database, added.version);
  const kept: Assignment[] = [];
  for (const other of assignments) {
    if (other.gateway !== added.gateway || other.stream !== added.stream || !overlap(other, added)) {
      kept.push(other);
      continue;
    }
    const shared =
      other.database === added.database
        ? undefined
        : sharedIdentifiers(own, await databases.load(other.database, other.version));
    if (shared?.length === 0) kept.push(other);
    else if (replace) kept.push(...without(other, added));
    else throw inTheWay(other, shared);
  }
  return [...kept, added].sort((a, b) => byPlace(a, b) || byStart(a, b));
}

function byPlace(a: Assignment, b: Assignment): number {
  const [left, right] = [a, b].map(({ gateway, stream, database }) => `${gateway} ${stream} ${database}`);
  return left === right ? 0 : left < right ? -1 : 1;
}

const identifierText = (id: number, isExtended: boolean): string =>
  id
    .toString(16)
    .toUpperCase()
    .padStart(isExtended ? 8 : 3, '0');

function sharedIdentifiers(a: LoadedDatabase, b: LoadedDatabase): string[] {
  const texts = ({ database }: LoadedDatabase): string[] =>
    database.messages
      .filter(({ signals }) => signals.length > 0)
      .map(({ id, isExtended }) => identifierText(id, isExtended));
  const others = new Set(texts(b));
  return texts(a).filter((text) => others.has(text));
}

function inTheWay(other: Assignment, shared: string[] | undefined): FleetlogError {
  const why = shared
    ? ` and describes the same identifiers (${shared.slice(0, shownMax).join(', ')}${shared.length > shownMax ? ', …' : ''})`
    : '';
  return new FleetlogError(
    'FLEETLOG_USAGE',
    `${other.database} applies to ${other.gateway} ${other.stream} ${validityText(other)}${why}; ` +
      'give a validity that does not overlap, or let the other one give way with --replace.',
  );
}

/** Takes the assignments of a database away, within a validity; what lies outside of it stays. */
export function removeAssignments(
  assignments: readonly Assignment[],
  which: Omit<Assignment, 'version'>,
): { kept: Assignment[]; touched: number } {
  let touched = 0;
  const kept = assignments.flatMap((one) => {
    const isMeant =
      one.gateway === which.gateway && one.stream === which.stream && one.database === which.database;
    if (!isMeant || !overlap(one, which)) return [one];
    touched++;
    return without(one, which);
  });
  return { kept, touched };
}

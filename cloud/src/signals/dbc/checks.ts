import { bitsOf } from './bits.js';
import type { Draft, MessageDraft } from './draft.js';
import { bytesNeeded, type Signal } from './model.js';
import { quoted, type Problems } from './problems.js';

/** Faults that are common in the world's files and don't keep anybody from reading signals. */
export function checkDatabase(draft: Draft, problems: Problems): void {
  const nodes = new Set(draft.nodes.map(({ name }) => name));
  const missing = new Set<string>();
  for (const one of draft.messages) {
    const { message, signals } = one;
    if (message.signals.length === 0 && signals.length > 0) continue; // left out
    if (nodes.size > 0) {
      noteMissing(message.sender, one.at, nodes, missing, problems);
      for (const { at, signal } of signals) {
        for (const receiver of signal.receivers) noteMissing(receiver, at, nodes, missing, problems);
      }
    }
    checkName(message.name, one.at, problems);
    checkPlaces(one, problems);
  }
}

/** Each missing node is named once. */
function noteMissing(
  name: string,
  at: number,
  nodes: ReadonlySet<string>,
  missing: Set<string>,
  problems: Problems,
): void {
  if (name === '' || nodes.has(name) || missing.has(name)) return;
  missing.add(name);
  problems.warn(at, `Node ${quoted(name)} isn't in the list of nodes (BU_).`);
}

const identifier = /^[A-Za-z_]\w*$/;

function checkName(name: string, at: number, problems: Problems): void {
  if (!identifier.test(name)) {
    problems.warn(at, `${quoted(name)} isn't a name by the format's rules (letters, digits and _).`);
  }
}

/** Which signal has a bit, by the bit's place. */
type TakenBits = Signal[];

function checkPlaces({ message, signals }: MessageDraft, problems: Problems): void {
  const takenAlways: TakenBits = [];
  const takenIn = new Map<string, TakenBits>();
  const kept = new Set(message.signals);
  for (const isDependent of [false, true]) {
    for (const { at, signal } of signals) {
      if (!kept.has(signal) || (signal.multiplexing !== undefined) !== isDependent) continue;
      checkName(signal.name, at, problems);
      const needed = bytesNeeded(signal);
      if (needed > message.length) {
        problems.warn(at, `${signal.name} needs ${needed} bytes; ${message.name} has ${message.length}.`);
      }
      const other = take(signal, takenAlways, ownBits(signal, takenAlways, takenIn));
      if (other) problems.warn(at, `${signal.name} overlaps ${other.name} in ${message.name}.`);
    }
  }
}

/** Bits taken by signals that are there at the same time as this one. */
function ownBits(
  { multiplexing }: Signal,
  takenAlways: TakenBits,
  takenIn: Map<string, TakenBits>,
): TakenBits {
  if (!multiplexing) return takenAlways;
  const key = `${multiplexing.multiplexor} ${multiplexing.ranges.join(' ')}`;
  let own = takenIn.get(key);
  if (!own) {
    own = [];
    takenIn.set(key, own);
  }
  return own;
}

/** Takes the signal's bits; returns a signal that had one of them before. */
function take(signal: Signal, always: TakenBits, own: TakenBits): Signal | undefined {
  let other: Signal | undefined;
  for (const bit of bitsOf(signal)) {
    other ??= always[bit] ?? own[bit];
    own[bit] = signal;
  }
  return other;
}

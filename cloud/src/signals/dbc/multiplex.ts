import type { Draft, MessageDraft, SignalDraft } from './draft.js';
import type { Finder } from './link.js';
import { databaseLimits } from './model.js';
import type { Problems } from './problems.js';

/**
 * Says for each multiplexed signal on which multiplexor it depends: the one that `SG_MUL_VAL_` names, else the only one
 * of its message that is always there. Signals that depend on themselves, or on nothing, are left out.
 */
export function multiplex(
  draft: Draft,
  messages: readonly MessageDraft[],
  find: Finder,
  problems: Problems,
): void {
  for (const { at, rawId, signal, multiplexor, ranges } of draft.multiplexings) {
    const found = find.signal(rawId, signal, at)?.signal;
    const owner = find.signal(rawId, multiplexor, at)?.signal;
    if (!found || !owner) continue;
    if (ranges.length === 0) {
      problems.warn(at, `There are no values here at which ${signal} is in the message.`);
      continue;
    }
    owner.isMultiplexor = true;
    found.multiplexing = { multiplexor, ranges };
  }
  for (const message of messages) {
    if (!message.signals.some(isMultiplexed)) continue;
    takeTheOnlyMultiplexor(message, problems);
    leaveOutUnreachable(message, problems);
  }
}

const isMultiplexed = ({ selector, signal }: SignalDraft): boolean =>
  selector !== undefined || signal.multiplexing !== undefined;

function takeTheOnlyMultiplexor({ message, signals }: MessageDraft, problems: Problems): void {
  const roots = signals.filter((one) => one.signal.isMultiplexor && !isMultiplexed(one));
  if (
    roots.length > 1 &&
    signals.some(({ selector, signal }) => selector !== undefined && !signal.multiplexing)
  ) {
    problems.warn(
      roots[1].at,
      `${message.name} has several multiplexors; signals that don't say theirs depend on ${roots[0].signal.name}.`,
    );
  }
  for (const { selector, signal } of signals) {
    if (selector === undefined || signal.multiplexing || roots.length === 0) continue;
    signal.multiplexing = { multiplexor: roots[0].signal.name, ranges: [[selector, selector]] };
  }
}

function leaveOutUnreachable({ message, signals }: MessageDraft, problems: Problems): void {
  const dependents = new Map<string, SignalDraft[]>();
  const reached = new Set<SignalDraft>();
  let level: SignalDraft[] = [];
  for (const one of signals) {
    const { multiplexing } = one.signal;
    if (multiplexing) {
      const others = dependents.get(multiplexing.multiplexor);
      if (others) others.push(one);
      else dependents.set(multiplexing.multiplexor, [one]);
    } else if (one.selector === undefined) {
      level.push(one);
    }
  }
  for (let depth = 0; level.length > 0 && depth <= databaseLimits.cascadeMax; depth++) {
    for (const one of level) reached.add(one);
    level = level.flatMap(({ signal }) => dependents.get(signal.name) ?? []);
  }
  for (const one of signals) {
    if (reached.has(one)) continue;
    problems.warn(one.at, `${one.signal.name} depends on no multiplexor that is there; it is left out.`);
  }
  if (reached.size < signals.length) {
    message.signals = message.signals.filter((_, i) => reached.has(signals[i]));
  }
}

import { FleetlogError } from '@fleetlog/shared/errors';
import { unknownName } from '../api/nearest-names.js';
import { fullName, type StreamSignal } from '../signals/stream-signal.js';

const shownMax = 6;

/**
 * The signals that a name means: one full name, which several databases may have at different times. A name is
 * `stream/Message/Signal`, or its end (`Message/Signal`, `Signal`) where that means one signal only.
 * Errors: FLEETLOG_NOT_FOUND with the names that are most alike, FLEETLOG_USAGE with the candidates of an ambiguous one.
 */
export function findSignal(name: string, all: readonly StreamSignal[]): StreamSignal[] {
  const byName = new Map<string, StreamSignal[]>();
  for (const one of all) {
    const full = fullName(one);
    if (full !== name && !full.endsWith(`/${name}`)) continue;
    const same = byName.get(full);
    if (same) same.push(one);
    else byName.set(full, [one]);
  }
  const [first, ...others] = byName.values();
  if (first && others.length === 0) return first;
  if (first) {
    const names = [...byName.keys()];
    const more = names.length > shownMax ? ` and ${names.length - shownMax} more` : '';
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `${name} is ambiguous: it may be ${names.slice(0, shownMax).join(', ')}${more}; say which.`,
    );
  }
  const parts = name.split('/').length;
  const alike = new Set(all.map((one) => fullName(one).split('/').slice(-parts).join('/')));
  throw unknownName('signal', name.slice(0, 100), [...alike]);
}

/**
 * Walks one CBOR item without building anything and returns where it ends, or -1 where it isn't of the plain subset
 * that Fleetlog writes: integers, floats, booleans, null, definite strings, arrays and maps; no tags, no indefinite
 * lengths, bounded depth (containers within containers) and number of items.
 *
 * It runs before cbor-x sees hostile bytes: bignums, regular expressions, references and deep nesting, which cost
 * seconds or the stack, never reach it. RFC 8949, section 3.
 */
export function checkCborShape(bytes: Uint8Array, limits: { depthMax: number; itemsMax: number }): number {
  const state: Walk = { bytes, at: 0, items: limits.itemsMax };
  return walk(state, limits.depthMax) ? state.at : -1;
}

interface Walk {
  bytes: Uint8Array;
  at: number;
  /** Items that may still come. */
  items: number;
}

function walk(state: Walk, depth: number): boolean {
  const { bytes } = state;
  if (depth < 0 || --state.items < 0 || state.at >= bytes.length) return false;
  const major = bytes[state.at] >> 5;
  const info = bytes[state.at] & 31;
  state.at++;
  if (major === 7 && info === 24) return false; // two-byte simple values: none is ours
  let argument = info;
  if (info >= 24) {
    if (info > 27) return false;
    const size = 1 << (info - 24);
    if (state.at + size > bytes.length) return false;
    argument = 0;
    for (let i = 0; i < size; i++) argument = argument * 256 + bytes[state.at + i];
    state.at += size;
  }
  switch (major) {
    case 0:
    case 1:
      return true;
    case 2:
    case 3:
      if (argument > bytes.length - state.at) return false;
      state.at += argument;
      return true;
    case 4:
    case 5: {
      const items = major === 4 ? argument : 2 * argument;
      if (items > state.items) return false;
      for (let i = 0; i < items; i++) if (!walk(state, depth - 1)) return false;
      return true;
    }
    case 6:
      return false;
    default:
      return info === 20 || info === 21 || info === 22 || info >= 25;
  }
}

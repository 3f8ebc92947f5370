/** Copies an array to the beginning of a larger one. */
export function resized<T extends Int32Array | Uint32Array | Uint16Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

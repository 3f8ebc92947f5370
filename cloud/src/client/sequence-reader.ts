import { FleetlogError } from '@fleetlog/shared/errors';

const itemBytesMax = 16 * 1024 * 1024;
const headBytesMax = 5;

/** Takes a CBOR sequence of byte strings (RFC 8742; RFC 8949, major type 2) apart, however it was cut on its way. */
export class SequenceReader {
  private parts: Uint8Array[] = [];
  private length = 0;
  /** Bytes that the next item needs at least. */
  private needed = 1;

  /** Contents of the byte strings that are whole now: views that hold as long as `chunk` does. Errors: FLEETLOG_INTERRUPTED. */
  *take(chunk: Uint8Array): Generator<Uint8Array> {
    this.parts.push(chunk);
    this.length += chunk.length;
    if (this.length < this.needed) return;
    const bytes = this.parts.length === 1 ? chunk : Buffer.concat(this.parts);
    let at = 0;
    this.needed = 1;
    while (at < bytes.length) {
      const head = readHead(bytes, at);
      if (!head || at + head.bytes + head.length > bytes.length) {
        this.needed = head ? head.bytes + head.length : headBytesMax;
        break;
      }
      at += head.bytes + head.length;
      yield bytes.subarray(at - head.length, at);
    }
    const rest = bytes.subarray(at);
    this.parts = rest.length > 0 ? [rest] : [];
    this.length = rest.length;
    // A head that is cut has as little as two bytes to come.
    if (this.needed === headBytesMax) this.needed = this.length + 1;
  }
}

/** Undefined where the head hasn't come whole. */
function readHead(bytes: Uint8Array, at: number): { bytes: number; length: number } | undefined {
  const info = bytes[at] & 31;
  const size = info < 24 ? 0 : 1 << (info - 24);
  if (bytes[at] >> 5 !== 2 || info > 26) throw malformed();
  if (at + 1 + size > bytes.length) return undefined;
  let length = size === 0 ? info : 0;
  for (let i = 0; i < size; i++) length = length * 256 + bytes[at + 1 + i];
  if (length > itemBytesMax) throw malformed();
  return { bytes: 1 + size, length };
}

const malformed = (): FleetlogError =>
  new FleetlogError(
    'FLEETLOG_INTERRUPTED',
    "The cloud's answer isn't a sequence of events; is this a Fleetlog cloud of the same version?",
  );

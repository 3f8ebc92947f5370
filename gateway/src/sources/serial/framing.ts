/*
 * Cuts a byte stream into packets. Whatever arrives, memory is bounded by the longest packet, and the packet behind
 * noise is found: framings without a mark of their own look for the next start one byte further on.
 */

/** Where packets and what isn't one go; the bytes are valid during the call only. */
export interface PacketSink {
  /** A packet without its framing. False where it is none (its checksum is wrong): it is counted and sought anew. */
  packet(bytes: Uint8Array, start: number, end: number): boolean;
  /** Bytes that belong to no packet. */
  noise(bytes: Uint8Array, start: number, end: number): void;
}

export interface Framer {
  /** Takes the next bytes of the stream. */
  take(chunk: Uint8Array, sink: PacketSink): void;
  /** The stream was interrupted, or is silent: an unfinished packet is noise. */
  reset(sink: PacketSink): void;
}

export type Framing =
  | { type: 'cobs' | 'slip' }
  /** Bytes that end each packet. */
  | { type: 'delimiter'; delimiter: Uint8Array }
  /** Packets of one length, which begin with `sync` (may be empty: the checksum alone tells where they begin). */
  | { type: 'fixed'; sync: Uint8Array; length: number }
  /**
   * `sync`, then at `lengthAt` bytes from the packet's start a length of `lengthBytes` bytes, to which `lengthAdds`
   * gives the whole packet's.
   */
  | {
      type: 'length-prefixed';
      sync: Uint8Array;
      lengthAt: number;
      lengthBytes: 1 | 2;
      lengthAdds: number;
      bigEndian: boolean;
    };

/** `packetBytesMax`: longer ones are noise. */
export function createFramer(framing: Framing, packetBytesMax: number): Framer {
  switch (framing.type) {
    case 'cobs':
      return new MarkedFramer(
        Uint8Array.of(0),
        packetBytesMax + 2 + Math.ceil(packetBytesMax / 254),
        decodeCobs,
      );
    case 'slip':
      return new MarkedFramer(Uint8Array.of(SLIP_END), 2 * packetBytesMax + 1, decodeSlip);
    case 'delimiter':
      return new MarkedFramer(framing.delimiter, packetBytesMax, undefined);
    case 'fixed':
      return new SyncFramer(framing.sync, framing.length, () => framing.length);
    case 'length-prefixed': {
      const { sync, lengthAt, lengthBytes, lengthAdds, bigEndian } = framing;
      const headBytes = Math.max(sync.length, lengthAt + lengthBytes);
      return new SyncFramer(sync, packetBytesMax, (bytes, start, end) => {
        if (end - start < headBytes) return 0;
        const at = start + lengthAt;
        let length = bytes[at];
        if (lengthBytes === 2)
          length = bigEndian ? (length << 8) | bytes[at + 1] : length | (bytes[at + 1] << 8);
        const whole = length + lengthAdds;
        return whole < headBytes || whole > packetBytesMax ? -1 : whole;
      });
    }
  }
}

/** Decodes the first `length` bytes into another array; returns the packet's length, or -1 where it is malformed. */
type Decode = (bytes: Uint8Array, length: number, into: Uint8Array) => number;

/** Packets that end in a mark, which occurs nowhere else. */
class MarkedFramer implements Framer {
  private held: Uint8Array;
  private readonly decoded: Uint8Array;
  private length = 0;
  /** True while a packet is passed over that is too long. */
  private skipping = false;

  constructor(
    private readonly mark: Uint8Array,
    bytesMax: number,
    private readonly decode: Decode | undefined,
  ) {
    this.held = new Uint8Array(bytesMax + mark.length);
    this.decoded = decode ? new Uint8Array(bytesMax) : this.held;
  }

  take(chunk: Uint8Array, sink: PacketSink): void {
    const { mark } = this;
    const last = mark[mark.length - 1];
    for (let at = 0; at < chunk.length;) {
      const found = chunk.indexOf(last, at);
      const end = found < 0 ? chunk.length : found + 1;
      this.hold(chunk.subarray(at, end), sink);
      at = end;
      if (found >= 0 && this.isMarked()) this.finish(sink);
    }
  }

  reset(sink: PacketSink): void {
    if (this.length > 0) sink.noise(this.held, 0, this.length);
    this.length = 0;
    this.skipping = false;
  }

  private hold(bytes: Uint8Array, sink: PacketSink): void {
    const { held } = this;
    if (this.length + bytes.length > held.length) {
      // What can still be the beginning of a mark is kept.
      this.skipping = true;
      const all = new Uint8Array(this.length + bytes.length);
      all.set(held.subarray(0, this.length));
      all.set(bytes, this.length);
      const kept = this.mark.length;
      sink.noise(all, 0, all.length - kept);
      held.set(all.subarray(all.length - kept));
      this.length = kept;
      return;
    }
    held.set(bytes, this.length);
    this.length += bytes.length;
  }

  private isMarked(): boolean {
    const { held, mark, length } = this;
    if (length < mark.length) return false;
    for (let i = 0; i < mark.length; i++) if (held[length - mark.length + i] !== mark[i]) return false;
    return true;
  }

  private finish(sink: PacketSink): void {
    const { held, mark } = this;
    const end = this.length - mark.length;
    this.length = 0;
    if (this.skipping) {
      this.skipping = false;
      sink.noise(held, 0, end + mark.length);
      return;
    }
    if (end === 0) return; // two marks in a row: senders flush a line so
    const length = this.decode ? this.decode(held, end, this.decoded) : end;
    if (length < 0 || !sink.packet(this.decoded, 0, length)) sink.noise(held, 0, end + mark.length);
  }
}

/** Packets that begin with a sync word, or with nothing at all, and tell their length. */
class SyncFramer implements Framer {
  private held: Uint8Array;
  private start = 0;
  private end = 0;

  /** `lengthOf`: of the packet that may start there; 0 where more bytes are needed to know, -1 where it can't be one. */
  constructor(
    private readonly sync: Uint8Array,
    packetBytesMax: number,
    private readonly lengthOf: (bytes: Uint8Array, start: number, end: number) => number,
  ) {
    this.held = new Uint8Array(4 * packetBytesMax + 4096);
  }

  take(chunk: Uint8Array, sink: PacketSink): void {
    for (let at = 0; at < chunk.length;) {
      if (this.start > 0) {
        this.held.copyWithin(0, this.start, this.end);
        this.end -= this.start;
        this.start = 0;
      }
      const count = Math.min(chunk.length - at, this.held.length - this.end);
      this.held.set(chunk.subarray(at, at + count), this.end);
      this.end += count;
      at += count;
      this.cut(sink);
    }
  }

  reset(sink: PacketSink): void {
    // What looked like a packet's beginning was none, or is cut off; whole packets may stand behind it.
    while (this.start < this.end) {
      sink.noise(this.held, this.start, this.start + 1);
      this.start++;
      this.cut(sink);
    }
    this.start = 0;
    this.end = 0;
  }

  private cut(sink: PacketSink): void {
    const { held } = this;
    let noiseFrom = this.start;
    let at = this.start;
    for (;;) {
      const candidate = this.findSync(at);
      if (candidate < 0) {
        at = Math.max(at, this.end - Math.max(0, this.sync.length - 1));
        break;
      }
      at = candidate;
      const length = this.lengthOf(held, at, this.end);
      if (length === 0 || (length > 0 && at + length > this.end)) break;
      if (length > 0) {
        if (noiseFrom < at) {
          // The bytes before are no packet, whatever this one is.
          sink.noise(held, noiseFrom, at);
          noiseFrom = at;
        }
        if (sink.packet(held, at, at + length)) {
          at += length;
          noiseFrom = at;
          continue;
        }
      }
      at++;
    }
    if (noiseFrom < at) sink.noise(held, noiseFrom, at);
    this.start = at;
  }

  /** Where a sync word starts, or may start at the end of what is held; -1 where none does. */
  private findSync(from: number): number {
    const { held, sync, end } = this;
    if (sync.length === 0) return from < end ? from : -1;
    for (let at = from; at + sync.length <= end; at++) {
      at = held.indexOf(sync[0], at);
      if (at < 0 || at + sync.length > end) return -1;
      let i = 1;
      while (i < sync.length && held[at + i] === sync[i]) i++;
      if (i === sync.length) return at;
    }
    return -1;
  }
}

/** Consistent overhead byte stuffing (S. Cheshire and M. Baker, 1999). */
function decodeCobs(bytes: Uint8Array, length: number, into: Uint8Array): number {
  let to = 0;
  for (let at = 0; at < length;) {
    const code = bytes[at++];
    const next = at + code - 1;
    if (next > length) return -1;
    while (at < next) into[to++] = bytes[at++];
    if (code < 0xff && at < length) into[to++] = 0;
  }
  return to;
}

const SLIP_END = 0xc0;
const SLIP_ESCAPE = 0xdb;
const SLIP_ESCAPED_END = 0xdc;
const SLIP_ESCAPED_ESCAPE = 0xdd;

/** RFC 1055. */
function decodeSlip(bytes: Uint8Array, length: number, into: Uint8Array): number {
  let to = 0;
  for (let at = 0; at < length;) {
    const byte = bytes[at++];
    if (byte !== SLIP_ESCAPE) {
      into[to++] = byte;
      continue;
    }
    const escaped = at < length ? bytes[at++] : -1;
    if (escaped === SLIP_ESCAPED_END) into[to++] = SLIP_END;
    else if (escaped === SLIP_ESCAPED_ESCAPE) into[to++] = SLIP_ESCAPE;
    else return -1;
  }
  return to;
}

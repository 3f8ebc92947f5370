import type { Socket } from 'node:net';

export interface PacketLimits {
  /** Before the client is known, bytes of a packet. */
  connectBytesMax: number;
  /** Afterwards. */
  packetBytesMax: number;
}

/**
 * Stands between a socket and the broker, which reads by `socket.read()`, and
 *
 * - ends the connection at the header of a packet that is over the limit, before the broker collects its bytes;
 * - reads nothing while there is no room for it, so that TCP slows the sender down. The broker itself reads on while
 *   messages wait for their hooks, a chunk for each time that the socket becomes readable.
 *
 * MQTT 3.1.1, section 2.2.3: the second to fifth bytes of a packet say how many bytes follow.
 */
export class PacketGate {
  /** Set when the client has shown who it is. */
  isKnown = false;
  /** Where in the header the next byte is: -1 for the first byte, else how far the length is shifted. */
  private shift = -1;
  private length = 0;
  private bodyLeft = 0;

  constructor(
    socket: Socket,
    private readonly limits: PacketLimits,
    hooks: {
      /** Whether the socket may be read now; where not, somebody has to call `resume` later. */
      mayRead(): boolean;
      tooLarge(bytes: number): void;
    },
  ) {
    const read = socket.read.bind(socket);
    socket.read = (size?: number): Buffer | null => {
      if (!hooks.mayRead()) return null;
      const chunk = read(size) as Buffer | null;
      if (chunk === null || this.accepts(chunk)) return chunk;
      hooks.tooLarge(this.length);
      socket.destroy();
      return null;
    };
    this.resume = () => void socket.emit('readable');
  }

  /** Makes the broker read again. */
  readonly resume: () => void;

  private accepts(chunk: Buffer): boolean {
    for (let at = 0; at < chunk.length;) {
      if (this.bodyLeft > 0) {
        const step = Math.min(this.bodyLeft, chunk.length - at);
        this.bodyLeft -= step;
        at += step;
        continue;
      }
      const byte = chunk[at++];
      if (this.shift < 0) {
        this.shift = 0;
        this.length = 0;
        continue;
      }
      this.length += (byte & 0x7f) * 2 ** this.shift;
      this.shift += 7;
      if (byte >= 0x80) {
        if (this.shift > 21) return false;
        continue;
      }
      if (this.length > (this.isKnown ? this.limits.packetBytesMax : this.limits.connectBytesMax))
        return false;
      this.bodyLeft = this.length;
      this.shift = -1;
    }
    return true;
  }
}

import type { Socket } from 'node:net';

/** Bytes waiting to be forwarded at which the sender is made to wait. */
const QUEUE_BYTES_MAX = 256 * 1024;

/** One direction of a proxied connection: a queue in order, which can be slow, or stand still. */
export class Pipe {
  private readonly queue: { dueMs: number; bytes: Uint8Array }[] = [];
  private queuedBytes = 0;
  private timer: NodeJS.Timeout | undefined;
  private frozen = false;
  /** The next bytes are torn off in the middle, and then this is called. */
  private torn: (() => void) | undefined;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly latencyMs: () => number,
  ) {
    to.on('drain', () => this.pump());
  }

  push(bytes: Uint8Array): void {
    this.queue.push({ dueMs: performance.now() + this.latencyMs(), bytes });
    this.queuedBytes += bytes.length;
    this.pump();
  }

  freeze(frozen: boolean): void {
    this.frozen = frozen;
    if (frozen) this.from.pause();
    this.pump();
  }

  /** Forwards a part of what comes next, then calls `then`: a link that ends in the middle of a message. */
  tear(then: () => void): void {
    this.torn = then;
  }

  close(): void {
    clearTimeout(this.timer);
    this.queue.length = 0;
  }

  private pump(): void {
    clearTimeout(this.timer);
    while (!this.frozen && this.queue.length > 0 && !this.to.writableNeedDrain && !this.to.destroyed) {
      const { dueMs, bytes } = this.queue[0];
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) {
        this.timer = setTimeout(() => this.pump(), waitMs);
        break;
      }
      this.queue.shift();
      this.queuedBytes -= bytes.length;
      if (this.torn) {
        this.to.write(bytes.subarray(0, bytes.length >>> 1), this.torn);
        this.torn = undefined;
        this.frozen = true;
        return;
      }
      this.to.write(bytes);
    }
    if (this.frozen || this.queuedBytes > QUEUE_BYTES_MAX) this.from.pause();
    else this.from.resume();
  }
}

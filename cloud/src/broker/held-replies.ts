import type { Socket } from 'node:net';

const longestMs = 200;

/**
 * Holds confirmations back until the acknowledgement of the same message follows, so that both leave in one write: a
 * write costs more than all else that a small batch needs. What waited for about 200 ms goes without it.
 */
export class HeldReplies {
  private held = new Set<Socket>();
  private older = new Set<Socket>();
  private timer: NodeJS.Timeout | undefined;

  hold(socket: Socket): void {
    if (this.held.has(socket) || this.older.has(socket)) return;
    socket.cork();
    this.held.add(socket);
    this.timer ??= setTimeout(() => this.sweep(), longestMs / 2);
  }

  release(socket: Socket): void {
    if (this.held.delete(socket) || this.older.delete(socket)) socket.uncork();
  }

  releaseAll(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const set of [this.older, this.held]) {
      for (const socket of set) socket.uncork();
      set.clear();
    }
  }

  private sweep(): void {
    for (const socket of this.older) socket.uncork();
    this.older.clear();
    [this.held, this.older] = [this.older, this.held];
    this.timer = this.older.size > 0 ? setTimeout(() => this.sweep(), longestMs / 2) : undefined;
  }
}

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * A TCP proxy on a loopback port that can be slow, metered, or half-open: then it keeps its connections and forwards
 * nothing.
 */
export class LinkProxy implements AsyncDisposable {
  connections = 0;
  /** Each way, for what comes from now on. */
  delayMs = 0;
  private frozen = false;
  private leftBytes = Infinity;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  /** Forwards what comes to a port that listens there. */
  static async start(targetPort: number, targetHost = '127.0.0.1'): Promise<LinkProxy> {
    const server = createServer({ noDelay: true }, (near) => {
      proxy.connections++;
      const far = connect(targetPort, targetHost);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ]) {
        proxy.sockets.add(from);
        const later: Buffer[] = [];
        from.on('data', (chunk: Buffer) => {
          if (proxy.frozen) return void from.pause();
          proxy.leftBytes -= chunk.length;
          if (proxy.leftBytes <= 0) proxy.frozen = true;
          // Whichever timer fires first sends what came first, so nothing overtakes where the delay changes.
          later.push(chunk);
          setTimeout(() => to.write(later.shift() as Buffer), proxy.delayMs);
        });
        from.on('error', () => undefined);
        from.on('close', () => {
          proxy.sockets.delete(from);
          if (!proxy.frozen) to.destroy();
        });
      }
    });
    const proxy = new LinkProxy(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Whether nothing gets through. */
  get isSilent(): boolean {
    return this.frozen;
  }

  /** From now on bytes vanish, in both directions, also on new connections. */
  freeze(): void {
    this.frozen = true;
  }

  /** After so many bytes, in both directions together, it is as if frozen, until `thaw`. */
  allow(bytes: number): void {
    this.leftBytes = bytes;
  }

  /** New connections work again; those that were frozen are cut. */
  thaw(): void {
    for (const socket of this.sockets) socket.destroy();
    this.frozen = false;
    this.leftBytes = Infinity;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.frozen = false;
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A TCP proxy on a loopback port that can go half-open: it keeps its connections and forwards nothing. */
export class LinkProxy implements AsyncDisposable {
  connections = 0;
  private frozen = false;
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
        from.on('data', (chunk: Buffer) => {
          if (proxy.frozen) from.pause();
          else to.write(chunk);
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

  /** From now on bytes vanish, in both directions, also on new connections. */
  freeze(): void {
    this.frozen = true;
  }

  /** New connections work again; those that were frozen are cut. */
  thaw(): void {
    for (const socket of this.sockets) socket.destroy();
    this.frozen = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.frozen = false;
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

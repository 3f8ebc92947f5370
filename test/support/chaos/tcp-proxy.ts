import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Prng } from '#sim/vehicle/prng.js';
import { MqttFaults, type MqttFaultCounts, type MqttFaultRates } from './mqtt-faults.js';
import { Pipe } from './pipe.js';

interface Connection {
  gateway: Socket;
  broker: Socket;
  up: Pipe;
  down: Pipe;
  faults: MqttFaults;
}

/** The network between gateways and broker, with everything that can go wrong in it. */
export class TcpProxy implements AsyncDisposable {
  /** Where the broker listens at the moment. */
  brokerPort = 0;
  readonly rates: MqttFaultRates = { dropAck: 0, loseBatch: 0, duplicate: 0, reorder: 0 };
  readonly counts: MqttFaultCounts = { acksDropped: 0, batchesLost: 0, duplicated: 0, reordered: 0 };
  /** How long each byte takes, each way. */
  latencyMs = 0;
  private readonly connections = new Set<Connection>();
  private frozen = false;

  private constructor(
    private readonly server: Server,
    private readonly prng: Prng,
  ) {
    server.on('connection', (socket) => this.accept(socket));
  }

  static async start(prng: Prng): Promise<TcpProxy> {
    const server = createServer({ noDelay: true });
    const proxy = new TcpProxy(server, prng);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get connectionCount(): number {
    return this.connections.size;
  }

  /** Ends all connections, as a modem that loses its network. */
  cut(): void {
    for (const connection of this.connections) this.close(connection, (socket) => socket.destroy());
  }

  /** Ends all connections with RST. */
  reset(): void {
    for (const connection of this.connections) this.close(connection, (socket) => socket.resetAndDestroy());
  }

  /** Ends all connections in the middle of the next bytes that a gateway sends. */
  tear(): void {
    for (const connection of this.connections) {
      connection.up.tear(() => this.close(connection, (socket) => socket.destroy()));
    }
  }

  /** While on, connections stay open and nothing moves, on new ones neither: a NAT that forgot, a tunnel. */
  halfOpen(on: boolean): void {
    this.frozen = on;
    for (const { up, down } of this.connections) {
      up.freeze(on);
      down.freeze(on);
    }
    if (!on) this.closeHalfDead();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  private accept(gateway: Socket): void {
    const broker = connect({ port: this.brokerPort, host: '127.0.0.1', noDelay: true });
    const up = new Pipe(gateway, broker, () => this.latencyMs);
    const down = new Pipe(broker, gateway, () => this.latencyMs);
    const faults = new MqttFaults(
      this.rates,
      this.counts,
      this.prng,
      (bytes) => up.push(bytes),
      (bytes) => down.push(bytes),
    );
    const connection: Connection = { gateway, broker, up, down, faults };
    this.connections.add(connection);
    gateway.on('data', (bytes: Buffer) => faults.gatewaySays(bytes));
    broker.on('data', (bytes: Buffer) => faults.brokerSays(bytes));
    for (const socket of [gateway, broker]) {
      socket.on('error', () => undefined); // 'close' follows
      socket.on('close', () => {
        // On a half-open link the other side doesn't learn it.
        if (!this.frozen) this.close(connection, (other) => other.destroy());
      });
    }
    up.freeze(this.frozen);
    down.freeze(this.frozen);
  }

  private closeHalfDead(): void {
    for (const connection of this.connections) {
      const { gateway, broker } = connection;
      if (gateway.destroyed || broker.destroyed) this.close(connection, (socket) => socket.resetAndDestroy());
    }
  }

  private close(connection: Connection, end: (socket: Socket) => void): void {
    if (!this.connections.delete(connection)) return;
    const { gateway, broker, up, down, faults } = connection;
    faults.close();
    up.close();
    down.close();
    end(gateway);
    end(broker);
  }
}

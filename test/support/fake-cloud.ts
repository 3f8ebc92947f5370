import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Aedes, type AedesPublishPacket, type Client } from 'aedes';
import { decodeBatch, type BatchHeader } from '@fleetlog/shared/batch';
import {
  decodeStatus,
  encodeMessage,
  parseTopic,
  topics,
  type GatewayStatus,
  type RefusedBatch,
} from '@fleetlog/shared/topics';
import { RangeSet } from '@fleetlog/shared/util';

/** A batch as it arrived. */
export interface Arrival {
  header: BatchHeader;
  bytes: Buffer;
}

/**
 * A real broker on a loopback port that keeps what it got and acknowledges it as the cloud would, in memory. Its
 * switches make the trouble that gateways have to live with.
 */
export class FakeCloud implements AsyncDisposable {
  /** Of the vehicle's streams. */
  readonly arrivals: Arrival[] = [];
  /** Of the gateway's own events, which are always acknowledged. */
  readonly eventArrivals: Arrival[] = [];
  readonly statuses: GatewayStatus[] = [];
  unretainedStatuses = 0;
  /** Acknowledgements aren't sent while this is set, and not afterwards for what came meanwhile. */
  dropAcks = false;
  /** Acknowledgements wait until `releaseAcks`. */
  holdAcks = false;
  /** Returns why a batch is refused, or undefined. */
  refuse: (header: BatchHeader) => Omit<RefusedBatch, 'sequence'> | undefined = () => undefined;
  /** Logins with another password are refused; undefined lets everybody in. */
  password: string | undefined;
  connects = 0;
  disconnects = 0;
  private readonly held = new Map<string, RangeSet>();
  private readonly sockets = new Set<Socket>();
  private readonly waiting = new Set<string>();

  private constructor(
    private readonly aedes: Aedes,
    private readonly server: Server,
  ) {}

  static async start(port = 0): Promise<FakeCloud> {
    const aedes = await Aedes.createBroker();
    const server = createServer({ noDelay: true }, (socket) => {
      cloud.sockets.add(socket);
      socket.on('close', () => cloud.sockets.delete(socket));
      aedes.handle(socket);
    });
    const cloud = new FakeCloud(aedes, server);
    aedes.authenticate = (_client, _user, password, done) => {
      if (cloud.password === undefined || password?.toString() === cloud.password) return done(null, true);
      done(Object.assign(new Error('not authorised'), { returnCode: 5 }) as never, false);
    };
    aedes.on('clientDisconnect', () => cloud.disconnects++);
    aedes.on('client', () => cloud.connects++);
    aedes.on('publish', (packet, client) => cloud.take(packet, client));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return cloud;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  /** Sequences of a stream in the order of their arrival, repetitions included. */
  sequences(stream: string): number[] {
    return this.arrivals
      .filter(({ header }) => header.stream === stream)
      .map(({ header }) => header.sequence);
  }

  /** What the log holds of a stream, over all epochs. */
  heldOf(gateway: string, epoch: string, stream: string): RangeSet {
    const key = `${gateway}/${epoch}/${stream}`;
    let held = this.held.get(key);
    if (!held) this.held.set(key, (held = new RangeSet()));
    return held;
  }

  /** Sends what was held back, and holds nothing back any more. */
  releaseAcks(): void {
    this.holdAcks = false;
    for (const key of this.waiting) {
      const [gateway, epoch, stream] = key.split('/');
      this.acknowledge(gateway, epoch, stream);
    }
    this.waiting.clear();
  }

  acknowledge(gateway: string, epoch: string, stream: string, refused?: RefusedBatch[]): void {
    const held = this.heldOf(gateway, epoch, stream).toFlat();
    this.publish(
      topics.ack(gateway),
      encodeMessage({ epoch, streams: { [stream]: { held, ...(refused && { refused }) } } }),
    );
  }

  publish(topic: string, payload: Uint8Array): void {
    this.aedes.publish(
      { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 0, retain: false, dup: false },
      () => undefined,
    );
  }

  /** Cuts all connections without a word. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.aedes.close(resolve));
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private take(packet: AedesPublishPacket, client: Client | null): void {
    const topic = parseTopic(packet.topic);
    const payload = Buffer.from(packet.payload);
    if (topic?.type === 'status') {
      this.statuses.push(decodeStatus(payload));
      if (!packet.retain) this.unretainedStatuses++;
    }
    if (!client || topic?.type !== 'up') return;
    const { header } = decodeBatch(payload);
    const isEvents = header.kind === 'events';
    (isEvents ? this.eventArrivals : this.arrivals).push({ header, bytes: payload });
    const { gateway, epoch, stream, sequence } = header;
    const refusal = isEvents ? undefined : this.refuse(header);
    if (refusal === undefined) this.heldOf(gateway, epoch, stream).add(sequence);
    if (this.dropAcks) return;
    if (this.holdAcks) this.waiting.add(`${gateway}/${epoch}/${stream}`);
    else this.acknowledge(gateway, epoch, stream, refusal && [{ sequence, ...refusal }]);
  }
}

import { connect, type Socket } from 'node:net';
import { generate, parser, type IConnectPacket, type Packet } from 'mqtt-packet';
import { decodeAck, topics, type Ack } from '@fleetlog/shared/topics';
import { until } from './until.js';

/** A client that says what the test wants, byte by byte, and keeps what it hears. */
export class MqttSocket implements AsyncDisposable {
  readonly received: Packet[] = [];
  isClosed = false;
  private messageId = 0;

  private constructor(readonly socket: Socket) {
    const packets = parser({ protocolVersion: 4 });
    packets.on('packet', (packet: Packet) => this.received.push(packet));
    socket.on('data', (chunk) => packets.parse(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => (this.isClosed = true));
  }

  static async open(port: number, host = '127.0.0.1'): Promise<MqttSocket> {
    const socket = connect({ port, host, noDelay: true });
    const client = new MqttSocket(socket);
    await until('it connects', () => !socket.connecting);
    return client;
  }

  /** Logs in as a gateway; returns the code of the answer, undefined where the connection was ended instead. */
  async login(username: string | undefined, more: Partial<IConnectPacket> = {}): Promise<number | undefined> {
    this.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      clientId: `${username}-test`,
      keepalive: 60,
      ...(username !== undefined && { username }),
      ...more,
    });
    const answer = await until('an answer', () => this.find('connack') || this.isClosed);
    return typeof answer === 'boolean' ? undefined : answer.returnCode;
  }

  send(packet: Packet): void {
    this.socket.write(generate(packet));
  }

  /** Sends a PUBLISH with QoS 1 and returns its id. */
  publish(topic: string, payload: Uint8Array, more: { retain?: boolean } = {}): number {
    const messageId = ++this.messageId;
    const { retain = false } = more;
    this.send({
      cmd: 'publish',
      topic,
      payload: Buffer.from(payload),
      qos: 1,
      messageId,
      retain,
      dup: false,
    });
    return messageId;
  }

  isConfirmed(messageId: number): boolean {
    return this.received.some((packet) => packet.cmd === 'puback' && packet.messageId === messageId);
  }

  async subscribe(topic: string): Promise<number> {
    const messageId = ++this.messageId;
    this.send({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos: 0 }] });
    const { granted } = (await until('suback', () =>
      this.received.find((packet) => packet.cmd === 'suback' && packet.messageId === messageId),
    )) as { granted: number[] };
    return granted[0];
  }

  /** Acknowledgements that came for a gateway. */
  acks(gateway: string): Ack[] {
    return this.published(topics.ack(gateway)).map((payload) => decodeAck(payload));
  }

  published(topic: string): Buffer[] {
    return this.received.flatMap((packet) =>
      packet.cmd === 'publish' && packet.topic === topic ? [packet.payload as Buffer] : [],
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await until('it is closed', () => this.isClosed);
  }

  private find<C extends Packet['cmd']>(cmd: C): Extract<Packet, { cmd: C }> | undefined {
    return this.received.find((packet): packet is Extract<Packet, { cmd: C }> => packet.cmd === cmd);
  }
}

import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { readTlsFiles, type TlsFiles } from '@fleetlog/shared/tls';
import type { Logger } from '@fleetlog/shared/log';
import { fillLengthCache } from '@fleetlog/shared/mqtt';
import { encodeMessage, parseTopic, topics, type Ack } from '@fleetlog/shared/topics';
import type { ListenAddress } from '../listen.js';
import type { MessageSink } from './broker.js';
import { parseShareTopic, shareTopic } from './share-topics.js';

export interface BrokerClientOptions {
  /** `mqtt://HOST:PORT` or `mqtts://HOST:PORT` of a broker that speaks MQTT 5. */
  url: string;
  username: string | undefined;
  password: string | undefined;
  tls: TlsFiles;
  /** Names the durable session: one for each ingest process. */
  clientId: string;
  /** Ingest processes of one group share the batches between them. */
  group: string;
  /** Messages that the broker may send before the first of them is confirmed. */
  receiveMax: number;
  packetBytesMax: number;
  keepAliveMs: number;
  connectTimeoutMs: number;
  /** How long the broker keeps what comes while this process is away. */
  sessionSeconds: number;
}

/** Unsent bytes from which on acknowledgements are left out: the next one says all again. */
const unsentBytesMax = 1024 * 1024;
const reconnectMs = 1000;
/** Batches on their way to another process; more of them come again. */
const forwardingMax = 1000;
/** Longest wait for the subscriptions at start; after it the cloud serves, and goes on trying. */
const firstConnectMsMax = 5000;

/**
 * Takes gateways' messages from a broker of its own, as a client with MQTT 5: batches by a shared subscription, so that
 * several ingest processes can run, statuses by a plain one, since shared ones don't bring what is retained.
 *
 * Who a gateway is is the broker's to find out: its access rules must let each write below its own prefix only. The
 * batch's own gateway must be that of the topic, as with the embedded broker.
 *
 * A message is confirmed to the broker when ingest has it in memory and takes more. While it doesn't, nothing is read,
 * and the broker holds back after `receiveMax` messages.
 */
export class BrokerClient implements AsyncDisposable {
  private readonly stopping = new AbortController();
  private trouble: string | undefined;
  /** Partitions whose batches other processes send on. */
  private readonly shares = new Set<number>();
  private forwarding = 0;

  private constructor(
    private readonly client: MqttClient,
    private readonly options: BrokerClientOptions,
    private readonly sink: MessageSink,
    private readonly logger: Logger,
  ) {}

  /** Errors: FLEETLOG_CONFIG for its TLS files. Resolves when messages come, or some seconds later where the broker isn't there. */
  static async start(options: BrokerClientOptions, sink: MessageSink, logger: Logger): Promise<BrokerClient> {
    fillLengthCache();
    const client = connect(options.url, clientOptions(options));
    const broker = new BrokerClient(client, options, sink, logger);
    const subscribed = Promise.withResolvers<void>();
    client.handleMessage = (packet, done) => void broker.take(packet, done);
    client.on('connect', () => void broker.subscribe().then(subscribed.resolve));
    client.on('error', (error) => broker.complain(error.message));
    client.on('close', () => broker.complain('the connection ended'));
    const timer = setTimeout(subscribed.resolve, firstConnectMsMax);
    await subscribed.promise;
    clearTimeout(timer);
    return broker;
  }

  get address(): ListenAddress {
    const { hostname, port, protocol } = new URL(this.options.url);
    return {
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port || (protocol === 'mqtts:' ? 8883 : 1883)),
    };
  }

  acknowledge(gateway: string, ack: Ack): void {
    const { client } = this;
    if (!client.connected || client.stream.writableLength > unsentBytesMax) return;
    client.publish(topics.ack(gateway), encodeMessage(ack) as Buffer, { qos: 0 });
  }

  /**
   * Sends a batch on to the process that has its partition. One that gets lost comes again from its gateway, since
   * nobody acknowledges it; so where too many are under way it is left out.
   */
  forward(partition: number, gateway: string, stream: string, bytes: Uint8Array): void {
    const { client } = this;
    if (!client.connected || this.forwarding >= forwardingMax) return;
    this.forwarding++;
    client.publish(
      shareTopic(partition, gateway, stream),
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
      { qos: 1 },
      () => void this.forwarding--,
    );
  }

  /** Which partitions' batches other processes send here. */
  share(partition: number, isOurs: boolean): void {
    const { client, logger } = this;
    if (isOurs) this.shares.add(partition);
    else this.shares.delete(partition);
    if (!client.connected || this.stopping.signal.aborted) return; // done with the other subscriptions when it is
    const topic = shareTopic(partition, '+', '+');
    const change = isOurs ? client.subscribeAsync(topic, { qos: 1 }) : client.unsubscribeAsync(topic);
    change.catch((error: unknown) => logger.warn({ topic, error }, 'The broker refuses a subscription.'));
  }

  /** Takes nothing more; what comes from now on isn't confirmed, and comes again. */
  stopReading(): void {
    this.stopping.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopReading();
    const { client } = this;
    if (client.connected) {
      const closed = new Promise((resolve) => client.stream.once('close', resolve));
      client.end(false);
      const timer = setTimeout(() => client.stream.destroy(), 1000);
      await closed;
      clearTimeout(timer);
    }
    client.end(true);
  }

  private async subscribe(): Promise<void> {
    const { client, logger } = this;
    const { url, group } = this.options;
    const share = `$share/${group}/${topics.allUp}`;
    try {
      const shares = Array.from(this.shares, (partition) => shareTopic(partition, '+', '+'));
      const wanted = [share, topics.allStatus, ...shares];
      const granted = await client.subscribeAsync(
        Object.fromEntries(wanted.map((topic) => [topic, { qos: 1 as const }])),
      );
      const refused = granted.find(({ qos }) => (qos as number) >= 0x80);
      if (refused) throw new Error(`no right to read ${refused.topic}`);
      this.trouble = undefined;
      logger.info({ url, share }, 'Takes batches from the broker.');
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (client.connected) this.complain(`it refuses the subscription: ${why}; check its access rules`);
    }
  }

  private async take(packet: IPublishPacket, confirm: (error?: Error) => void): Promise<void> {
    const { sink } = this;
    const { signal } = this.stopping;
    while (!sink.takes && !signal.aborted) await sink.readable.wait(signal).catch(() => undefined);
    if (signal.aborted) return;
    const topic = parseTopic(packet.topic);
    const payload = packet.payload as Buffer;
    const forwarded = parseShareTopic(packet.topic);
    if (forwarded) sink.forwarded?.(forwarded.gateway, forwarded.stream, payload);
    else if (topic?.type === 'up') sink.batch(topic.gateway, topic.stream, payload);
    else if (topic?.type === 'status' && payload.length > 0) sink.status(topic.gateway, payload);
    else if (payload.length > 0) {
      sink.refuse('FLEETLOG_TOPIC', 'this topic is not for gateways', { topic: packet.topic.slice(0, 256) });
    }
    confirm();
  }

  /** Once for each trouble, not for each attempt. */
  private complain(why: string): void {
    if (this.stopping.signal.aborted || this.trouble !== undefined) return;
    this.trouble = why;
    const { url } = this.options;
    this.logger.error({ url }, `The broker ${url} can't be used: ${why}. Trying again.`);
  }
}

function clientOptions(options: BrokerClientOptions): IClientOptions {
  const { username, password } = options;
  return {
    ...readTlsFiles(options.tls, 'mqtt.broker.tls'),
    protocolVersion: 5,
    clientId: options.clientId,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    clean: false,
    writeCache: false, // 65,536 buffers, one for each number that a packet may hold: 7 MB
    resubscribe: false,
    queueQoSZero: false,
    keepalive: Math.round(options.keepAliveMs / 1000),
    connectTimeout: options.connectTimeoutMs,
    reconnectPeriod: reconnectMs,
    properties: {
      sessionExpiryInterval: options.sessionSeconds,
      receiveMaximum: options.receiveMax,
      maximumPacketSize: options.packetBytesMax,
    },
  };
}

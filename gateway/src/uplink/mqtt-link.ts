import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { type MqttClient, type IClientOptions, type IStore, type PacketCallback } from 'mqtt';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import { fillLengthCache } from '@fleetlog/shared/mqtt';
import { dial, speakMqtt } from './dial.js';
import type { Link, LinkOptions } from './link.js';
import { tlsComplaint } from './tls-complaint.js';

/** Connects with mqtt.js, whose own store, queue and reconnecting are switched off: the buffer is the store. */
export async function connectMqtt(options: LinkOptions, signal: AbortSignal): Promise<Link> {
  signal.throwIfAborted();
  const link = open(options);
  const { client } = link;
  const giveUp = (): void => link.drop('stopped');
  signal.addEventListener('abort', giveUp, { once: true });
  const timer = setTimeout(() => link.drop('no answer'), options.connectTimeoutMs);
  try {
    client.on('message', (_topic, payload) => options.onMessage(payload));
    client.on('connect', (packet) => {
      link.receiveMax = packet.properties?.receiveMaximum ?? Infinity;
      link.packetBytesMax = packet.properties?.maximumPacketSize ?? Infinity;
      client.subscribe(options.subscribeTo, { qos: 0 }, (error) => {
        if (error) link.drop(`subscription refused: ${error.message}`);
        else link.ready();
      });
    });
    const failure = await Promise.race([link.subscribed, link.closed]);
    signal.throwIfAborted();
    if (failure !== undefined) throw unreachable(options, failure, link.error, new Date());
    return link;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  }
}

function open(options: LinkOptions): MqttLink {
  fillLengthCache();
  const url = new URL(options.url);
  const { stream, wire } = dial(url, options.tls);
  const client = speakMqtt(url, stream, clientOptions(options));
  const link = new MqttLink(options, client, wire);
  wire.on('close', () => link.count());
  // mqtt.js keeps those of TLS to itself.
  stream.on('error', (error) => (link.error ??= error));
  return link;
}

function clientOptions(options: LinkOptions): IClientOptions {
  return {
    clientId: options.clientId,
    username: options.username,
    ...(options.password !== undefined && { password: options.password }),
    protocolVersion: options.protocol === '5' ? 5 : 4,
    clean: true,
    writeCache: false, // 65,536 buffers, one for each number that a packet may hold: 7 MB
    keepalive: Math.max(1, Math.round(options.keepAliveMs / 1000)),
    connectTimeout: options.connectTimeoutMs,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    outgoingStore: new NoStore() as never, // typed as mqtt.js's own class, used as the interface
    will: {
      topic: options.will.topic,
      payload: asBuffer(options.will.payload),
      qos: 1,
      retain: true,
    },
  };
}

class MqttLink implements Link {
  receiveMax = Infinity;
  packetBytesMax = Infinity;
  error: Error | undefined;
  private readonly end_ = Promise.withResolvers<string>();
  private readonly ready_ = Promise.withResolvers<undefined>();
  private reason: string | undefined;
  private readonly unconfirmed = new Set<number>();

  private counted = { sent: 0, received: 0 };

  constructor(
    private readonly options: LinkOptions,
    readonly client: MqttClient,
    private readonly wire: Socket,
  ) {
    client.on('error', (error) => (this.error ??= error));
    client.on('disconnect', (packet) => (this.reason ??= `the broker said goodbye (${packet.reasonCode})`));
    client.on('close', () => {
      this.end_.resolve(this.reason ?? this.error?.message ?? 'the connection was closed');
    });
  }

  get isOpen(): boolean {
    return this.client.connected;
  }

  get closed(): Promise<string> {
    return this.end_.promise;
  }

  get subscribed(): Promise<undefined> {
    return this.ready_.promise;
  }

  ready(): void {
    this.ready_.resolve(undefined);
  }

  get flushedBytes(): number {
    return this.wire.bytesWritten - this.wire.writableLength;
  }

  publish(topic: string, payload: Uint8Array, options: { retain?: boolean } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.client.connected) return reject(new FleetlogError('FLEETLOG_INTERRUPTED', 'Not connected.'));
      const { retain = false } = options;
      this.client.publish(
        topic,
        asBuffer(payload),
        { qos: this.receiveMax > 1 || !retain ? 1 : 0, retain },
        (error) => {
          this.unconfirmed.delete(id);
          if (error) reject(error);
          else resolve();
        },
      );
      const id = this.client.getLastMessageId();
      this.unconfirmed.add(id);
    });
  }

  count(): void {
    const { bytesWritten, bytesRead } = this.wire;
    const { sent, received } = this.counted;
    this.counted = { sent: bytesWritten, received: bytesRead };
    this.options.meter.count(bytesWritten - sent, bytesRead - received);
  }

  async drained(signal: AbortSignal): Promise<void> {
    const { client } = this;
    const { stream } = client;
    if (!stream.writableNeedDrain || !client.connected || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = (): void => resolve();
    stream.once('drain', stop);
    client.once('close', stop);
    signal.addEventListener('abort', stop, { once: true });
    await promise;
    stream.off('drain', stop);
    client.off('close', stop);
    signal.removeEventListener('abort', stop);
  }

  async end(): Promise<void> {
    if (!this.client.connected) return this.drop('ended');
    // mqtt.js would wait for all confirmations, and without a goodbye the broker publishes the outdated last will.
    for (const id of this.unconfirmed) this.client.removeOutgoingMessage(id);
    await this.client.endAsync();
  }

  drop(reason: string): void {
    this.reason ??= reason;
    this.client.end(true);
    this.client.stream.destroy();
    this.end_.resolve(this.reason);
  }
}

/** Where mqtt.js would keep unconfirmed messages, keeping none. */
class NoStore implements IStore {
  put(_packet: unknown, done: (error?: Error) => void): this {
    done();
    return this;
  }

  del(_packet: unknown, done: PacketCallback): this {
    done();
    return this;
  }

  get(_packet: unknown, done: PacketCallback): this {
    done(new Error('not kept'));
    return this;
  }

  createStream(): ReturnType<IStore['createStream']> {
    return Readable.from([]) as never; // typed as readable-stream's, used as any
  }

  close(done: (error?: Error) => void): void {
    done();
  }
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Why a connection didn't come about, in a sentence that says what to do. */
export function unreachable(
  { url, username, tls }: Pick<LinkOptions, 'url' | 'username' | 'tls'>,
  reason: string,
  error: Error | undefined,
  now: Date,
): FleetlogError {
  const place = withoutPassword(url);
  const code = systemCode(error);
  const text = error?.message ?? reason;
  let sentence = `The cloud at ${place} can't be reached (${code ?? text}).`;
  if (/not authorized|bad user ?name|bad username or password|banned|identifier rejected/i.test(text)) {
    const { certificate } = tls;
    const what = certificate === undefined ? '"uplink.password"' : '"uplink.tls.certificate"';
    const orCertificate =
      /^(mqtts|wss):/.test(url) && certificate === undefined
        ? ', or give it a certificate with "uplink.tls"'
        : '';
    sentence = `The cloud at ${place} refuses the gateway "${username}" (${text}); check "gateway" and ${what}${orCertificate}.`;
  } else if (/unacceptable protocol version|unsupported protocol version/i.test(text)) {
    sentence = `The cloud at ${place} doesn't speak this MQTT version; set "uplink.protocol" to the other one.`;
  }
  sentence = tlsComplaint(error, `the cloud at ${place}`, now) ?? sentence;
  return new FleetlogError('FLEETLOG_UNREACHABLE', sentence[0].toUpperCase() + sentence.slice(1), {
    cause: error,
  });
}

function withoutPassword(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

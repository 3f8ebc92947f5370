import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { TLSSocket, type Server as TlsServer } from 'node:tls';
import type { AedesPublishPacket, AuthenticateError, Client, PublishPacket } from 'aedes';
import type { ErrorCode } from '@fleetlog/shared/errors';
import { fillLengthCache } from '@fleetlog/shared/mqtt';
import type { Logger } from '@fleetlog/shared/log';
import { encodeMessage, parseTopic, topics, type Ack } from '@fleetlog/shared/topics';
import type { Signal } from '@fleetlog/shared/util';
import { formatAddress, listen, type ListenAddress } from '../listen.js';
import { AckListeners } from './ack-listeners.js';
import { HeldReplies } from './held-replies.js';
import { PacketGate } from './packet-gate.js';
import { QuietAedes } from './quiet-aedes.js';
import { createTlsListener, gatewayOfCertificate, type TlsListener } from './tls-listener.js';
import { authenticate, type Users } from './users.js';

export interface BrokerOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  users: Users;
  connectionsMax: number;
  packetBytesMax: number;
  /** Longest keep-alive; a client that asks for none, or a longer one, gets this. */
  keepAliveSecondsMax: number;
  connectTimeoutMs: number;
  /** A second listener, with TLS. */
  tls: TlsListener | undefined;
}

/** Where gateways' messages go; none of these calls waits. */
export interface MessageSink {
  /** Whether more may be read from connections; `readable` is set when that turns true. */
  readonly takes: boolean;
  readonly readable: Signal;
  batch(gateway: string, stream: string, bytes: Uint8Array): void;
  /** One that another process got and this one should take. */
  forwarded?(gateway: string, stream: string, bytes: Uint8Array): void;
  /** False for one that makes no sense, which is counted. */
  status(gateway: string, message: Uint8Array): boolean;
  refuse(code: ErrorCode, message: string, facts: object): void;
}

/** A CONNECT with its last will, which holds a status. */
const connectBytesMax = 320 * 1024;
const clientIdCharsMax = 256;
/** Unsent bytes of a connection from which on acknowledgements to it are left out: the next one says all again. */
const unsentBytesMax = 64 * 1024;
const returnCode = { identifierRejected: 2, badUserOrPassword: 4 };
const nothing = Buffer.alloc(0);
/** A topic that nobody can subscribe to: what is sent there goes nowhere. */
const takenTopic = '$fleetlog/taken';

/**
 * The MQTT broker for gateways. Each reaches only what is below its own prefix; a publish elsewhere is confirmed, as
 * MQTT 3.1.1 (section 3.3.5) wants it, dropped and counted, and a subscription elsewhere gets return code 128.
 *
 * Messages are handed over when they arrive, and the broker routes none of them to other clients. A PUBACK therefore
 * says that the cloud has the message in memory, nothing about the log.
 */
export class Broker implements AsyncDisposable {
  private readonly gates = new WeakMap<object, PacketGate>();
  private readonly gateways = new WeakMap<object, string>();
  private readonly listeners: AckListeners;
  private readonly replies = new HeldReplies();
  /** Connections that wait for room. */
  private readonly waiting = new Set<PacketGate>();
  private readonly sockets = new Set<Socket>();
  /** Connections below TLS, which the broker's own sockets lie above. */
  private readonly handshaking = new Set<Socket>();
  private readonly stopping = new AbortController();
  private unsent = 0;

  private constructor(
    private readonly aedes: QuietAedes,
    private readonly server: Server,
    private readonly tlsServer: TlsServer | undefined,
    private readonly options: BrokerOptions,
    private readonly sink: MessageSink,
    private readonly logger: Logger,
  ) {
    this.listeners = new AckListeners(aedes, (client) => this.gateways.get(client));
  }

  /** Listens and serves. Errors: FLEETLOG_PORT_TAKEN, FLEETLOG_CONFIG for an address that isn't ours. */
  static async start(options: BrokerOptions, sink: MessageSink, logger: Logger): Promise<Broker> {
    const server = createServer({ noDelay: true, keepAlive: true });
    server.maxConnections = options.connectionsMax;
    const tlsServer = options.tls && createTlsListener(options.tls, options.connectTimeoutMs, sink);
    // Behind what may fail: its timers keep a process from ending.
    fillLengthCache();
    const aedes = await QuietAedes.start({
      connectTimeout: options.connectTimeoutMs,
      maxClientsIdLength: 2 * clientIdCharsMax,
      // Unlimited: with a limit, a few clients that read nothing would hold up what is for all others.
      concurrency: 0,
    });
    const broker = new Broker(aedes, server, tlsServer, options, sink, logger);
    broker.installHooks();
    try {
      await listen(server, options.host, options.port, '--mqtt');
      if (options.tls && tlsServer) {
        await listen(tlsServer, options.tls.host, options.tls.port, 'mqtt.tls.listen');
        const { address: host, port } = tlsServer.address() as AddressInfo;
        logger.info({ host, port }, `Gateways can connect by TLS: mqtts=${formatAddress({ host, port })}`);
      }
    } catch (error) {
      server.close();
      await new Promise<void>((resolve) => aedes.close(resolve));
      throw error;
    }
    void broker.resumeWhenReadable();
    return broker;
  }

  get address(): ListenAddress {
    const { address, port } = this.server.address() as AddressInfo;
    return { host: address, port };
  }

  get connections(): number {
    return this.sockets.size;
  }

  /** Tells a gateway what the log holds, if it is connected and reads. */
  acknowledge(gateway: string, ack: Ack): void {
    const payload = encodeMessage(ack) as Buffer;
    const topic = topics.ack(gateway);
    for (const client of this.listeners.of(gateway)) {
      this.unsent++;
      client.publish({ cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false }, () => {
        this.unsent--;
        this.replies.release(client.conn as Socket);
      });
    }
  }

  /** Accepts no connections and reads from none any more; what is to be sent still goes out. */
  stopReading(): void {
    this.stopping.abort();
    this.server.close();
    this.tlsServer?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopReading();
    this.replies.releaseAll();
    for (let turns = 0; this.unsent > 0 && turns < 1000; turns++) await new Promise(setImmediate);
    await new Promise<void>((resolve) => this.aedes.close(resolve));
    for (const socket of this.sockets) socket.destroySoon();
    for (const socket of this.handshaking) socket.destroy();
  }

  private installHooks(): void {
    const { aedes, server, logger } = this;
    server.on('connection', (socket) => this.accept(socket));
    this.tlsServer?.on('secureConnection', (socket) => this.accept(socket));
    this.tlsServer?.on('connection', (socket) => {
      this.handshaking.add(socket);
      socket.on('close', () => this.handshaking.delete(socket));
    });
    for (const listener of [server, this.tlsServer]) listener?.on('drop', () => this.tooMany());
    aedes.preConnect = (_client, packet, done) => {
      const { clientId, username = '' } = packet;
      if (clientId.length > clientIdCharsMax) {
        return done(
          Object.assign(new Error('client id too long'), { returnCode: returnCode.identifierRejected }),
          false,
        );
      }
      // One gateway can't throw another out by using its client id.
      packet.clientId = `${username}/${clientId}`;
      // The cloud keeps no session: gateways send again what they miss.
      packet.clean = true;
      const { keepalive = 0 } = packet;
      const { keepAliveSecondsMax } = this.options;
      if (keepalive === 0 || keepalive > keepAliveSecondsMax) packet.keepalive = keepAliveSecondsMax;
      done(null, true);
    };
    aedes.authenticate = (client, username, password, done) => {
      const { gateway, refusal } = this.identify(client, username, password);
      if (gateway === undefined) {
        this.sink.refuse('FLEETLOG_LOGIN', refusal, { username: username?.slice(0, 64) });
        const error = Object.assign(new Error('bad user name or password'), {
          returnCode: returnCode.badUserOrPassword,
        });
        return done(error as AuthenticateError, false);
      }
      this.gateways.set(client, gateway);
      const gate = this.gates.get(client.conn);
      if (gate) gate.isKnown = true;
      done(null, true);
    };
    aedes.authorizePublish = (client, packet, done) => {
      const gateway = client && this.gateways.get(client);
      if (gateway) this.take(gateway, packet, client.conn as Socket);
      done(null);
    };
    aedes.authorizeSubscribe = (client, subscription, done) => {
      const gateway = this.gateways.get(client);
      if (gateway !== undefined && subscription.topic.startsWith(topics.prefix(gateway))) {
        return done(null, subscription);
      }
      this.sink.refuse('FLEETLOG_TOPIC', 'a gateway subscribes outside its prefix', {
        gateway,
        topic: subscription.topic.slice(0, 256),
      });
      done(null, null);
    };
    aedes.authorizeForward = (client, packet: AedesPublishPacket) =>
      client.conn.writableLength > unsentBytesMax ? null : packet;
    const gone = (client: Client, error: Error): void => {
      logger.debug({ client: client.id, reason: error.message }, 'a connection failed');
    };
    aedes.on('clientError', gone);
    aedes.on('connectionError', gone);
  }

  private identify(
    client: Client,
    username: string | undefined,
    password: Uint8Array | undefined,
  ): ReturnType<typeof gatewayOfCertificate> {
    if (client.conn instanceof TLSSocket && this.options.tls?.clientCa !== undefined) {
      return gatewayOfCertificate(client.conn, username);
    }
    const gateway = authenticate(this.options.users, username, password);
    return gateway === undefined ? { refusal: 'wrong user name or password' } : { gateway };
  }

  private tooMany(): void {
    this.sink.refuse('FLEETLOG_CONNECTIONS', 'there are too many connections', {
      connections: this.sockets.size,
    });
  }

  private accept(socket: Socket): void {
    if (this.sockets.size >= this.options.connectionsMax) {
      this.tooMany();
      socket.destroy();
      return;
    }
    this.sockets.add(socket);
    const gate = new PacketGate(
      socket,
      { connectBytesMax, packetBytesMax: this.options.packetBytesMax },
      {
        mayRead: () => {
          if (this.stopping.signal.aborted) return false;
          if (this.sink.takes) return true;
          this.waiting.add(gate);
          return false;
        },
        tooLarge: (bytes) => {
          this.sink.refuse('FLEETLOG_BATCH_LIMIT', 'an MQTT packet is too large', { bytes });
        },
      },
    );
    this.gates.set(socket, gate);
    socket.on('close', () => {
      this.sockets.delete(socket);
      this.waiting.delete(gate);
    });
    this.aedes.handle(socket);
  }

  /** Hands a message over, and leaves an empty one for the broker to confirm and forget. */
  private take(gateway: string, packet: PublishPacket, socket: Socket): void {
    const topic = parseTopic(packet.topic);
    const payload = packet.payload as Buffer;
    if (topic?.gateway !== gateway || topic.type === 'ack') {
      this.refuseTopic(gateway, packet.topic, topic?.gateway);
    } else if (topic.type === 'up') {
      this.replies.hold(socket);
      this.sink.batch(gateway, topic.stream, payload);
    } else if (this.sink.status(gateway, payload)) {
      return; // the broker keeps it where it is to be retained
    }
    packet.topic = takenTopic;
    packet.payload = nothing;
    packet.retain = false;
  }

  private refuseTopic(gateway: string, topic: string, other: string | undefined): void {
    const facts = { gateway, topic: topic.slice(0, 256) };
    if (other !== undefined && other !== gateway) {
      this.sink.refuse('FLEETLOG_FOREIGN_GATEWAY', "a gateway publishes below another's prefix", facts);
    } else {
      this.sink.refuse('FLEETLOG_TOPIC', 'this topic is not for gateways to publish', facts);
    }
  }

  private async resumeWhenReadable(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await this.sink.readable.wait(signal).catch(() => undefined); // the loop looks at the signal
      for (const gate of this.waiting) {
        if (!this.sink.takes) break;
        this.waiting.delete(gate);
        gate.resume();
      }
    }
  }
}

import { connect, type Socket } from 'node:net';
import { generate } from 'mqtt-packet';
import { topics } from '@fleetlog/shared/topics';
import type { Prng } from '../vehicle/prng.js';

const EVERY_MS = 50;
const GARBAGE_BYTES = 4096;
const AT_ONE_TIME = 32;
const WAYS = 5;

/** Clients that wish the cloud no good: garbage, packets without an end, topics and names of others, silence. */
export class Attackers {
  private attempts = 0;
  private readonly sockets = new Set<Socket>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly target: { host: string; port: number },
    /** Whose names they take. */
    private readonly victims: readonly string[],
    private readonly prng: Prng,
  ) {}

  begin(): void {
    this.timer ??= setInterval(() => this.attack(), EVERY_MS);
  }

  end(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    for (const socket of this.sockets) socket.destroy();
  }

  private attack(): void {
    if (this.sockets.size >= AT_ONE_TIME)
      for (const oldest of [...this.sockets].slice(0, 8)) oldest.destroy();
    const socket = connect({ ...this.target, noDelay: true });
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
    const victim = this.victims[this.prng.below(this.victims.length)];
    switch (this.attempts++ % WAYS) {
      case 0:
        return this.garbage(socket);
      case 1:
        return this.endless(socket, victim);
      case 2:
        return this.thief(socket, victim);
      case 3:
        return this.trespasser(socket, victim);
      default: // a connection that says nothing
    }
  }

  /** Bytes without a meaning. */
  private garbage(socket: Socket): void {
    socket.write(this.noise(GARBAGE_BYTES));
  }

  /** A packet of 256 MiB, of which little comes. */
  private endless(socket: Socket, victim: string): void {
    socket.write(login(victim, victim));
    socket.write(Buffer.of(0x32, 0xff, 0xff, 0xff, 0x7f));
    socket.write(Buffer.alloc(GARBAGE_BYTES));
  }

  /** Somebody else's name and client id, with a password that is guessed, and what that gateway would never say. */
  private thief(socket: Socket, victim: string): void {
    socket.write(login(victim, victim));
    for (const topic of [topics.up(victim, 'can0'), topics.status(victim)]) this.publish(socket, topic);
  }

  /** A name of its own, and the topics of others. */
  private trespasser(socket: Socket, victim: string): void {
    socket.write(login('nobody-knows-me', 'x'));
    for (const topic of [topics.up(victim, 'gps0'), topics.ack(victim), '$SYS/x', 'fleetlog/v2/x']) {
      this.publish(socket, topic);
    }
    const subscriptions = [{ topic: '#', qos: 1 as const }];
    socket.write(generate({ cmd: 'subscribe', messageId: 9, subscriptions }));
  }

  private noise(bytes: number): Buffer {
    return Buffer.alloc(bytes).map(() => this.prng.below(256)) as Buffer;
  }

  private publish(socket: Socket, topic: string): void {
    const payload = this.noise(200);
    const facts = { qos: 1, messageId: 7, retain: true, dup: false } as const;
    socket.write(generate({ cmd: 'publish', topic, payload, ...facts }));
  }
}

const login = (username: string, clientId: string): Buffer =>
  generate({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    clientId,
    username,
    password: Buffer.from('guess'),
    keepalive: 60,
  });

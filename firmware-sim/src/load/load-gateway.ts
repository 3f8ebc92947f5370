import { connect, type Socket } from 'node:net';
import { generate, parser, type Packet } from 'mqtt-packet';
import { encodeBatch, type EncodedPayload } from '@fleetlog/shared/batch';
import { decodeAck, encodeMessage, topics, type GatewayStatus } from '@fleetlog/shared/topics';
import type { Histogram } from '../fleet/histogram.js';
import type { LoadCounters, WorkerOptions } from './options.js';
import { headerOf } from './templates.js';

const STREAM = 'can0';
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 30_000;
const KEEP_ALIVE_S = 60;

/** What all gateways of a process share. */
export interface LoadParts {
  options: WorkerOptions;
  templates: readonly EncodedPayload[];
  counters: LoadCounters;
  /** From the moment in which a batch was due to its acknowledgement, µs; time without a connection counts. */
  latency: Histogram;
  random: () => number;
}

/**
 * A gateway that has no buffer and no bus, and keeps the protocol of one that has: MQTT 3.1.1, its status, numbered
 * batches, a window, acknowledgements by range, back-off, and everything unacknowledged again on a new connection.
 */
export class LoadGateway {
  /** Batches that should have been sent by now. */
  due = 0;
  /** All batches below this are acknowledged. */
  acknowledged = 0;
  private next = 0;
  private sentMost = 0;
  private socket: Socket | undefined;
  private isReady = false;
  private isClosing = false;
  private attempt = 0;
  private retry: NodeJS.Timeout | undefined;
  private readonly topic: string;
  /** When the batches that aren't acknowledged were due, the oldest first. */
  private readonly dueMs: number[] = [];

  constructor(
    private readonly id: string,
    /** Time of its next batch, ms of `performance.now()`. */
    private nextMs: number,
    private readonly parts: LoadParts,
  ) {
    this.topic = topics.up(id, STREAM);
  }

  open(): void {
    const { host, port } = this.parts.options;
    const socket = connect({ host, port, noDelay: true });
    this.socket = socket;
    const packets = parser({ protocolVersion: 4 });
    packets.on('packet', (packet: Packet) => this.hear(packet));
    packets.on('error', () => socket.destroy());
    socket.on('data', (chunk) => packets.parse(chunk));
    socket.on('drain', () => this.fill());
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => this.lost());
    socket.write(
      generate({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 4,
        clean: true,
        clientId: this.id,
        username: this.id,
        keepalive: KEEP_ALIVE_S,
        will: { topic: topics.status(this.id), payload: this.status(false), qos: 1, retain: true },
      }),
    );
  }

  /** Sends what is due until then. */
  tick(untilMs: number): void {
    if (this.nextMs > untilMs) return;
    const { options, counters, random } = this.parts;
    for (; this.nextMs <= untilMs; this.nextMs += options.intervalMs + 2 * options.thinkMs * random()) {
      this.dueMs.push(this.nextMs);
      this.due++;
      counters.due++;
    }
    this.fill();
  }

  /** Its radio is gone from one moment to the next. */
  drop(): void {
    this.isReady = false;
    this.socket?.destroy();
  }

  /** Says that it goes, and goes. */
  close(): void {
    this.isClosing = true;
    clearTimeout(this.retry);
    if (this.isReady) this.publish(topics.status(this.id), this.status(false), 65_535, true);
    if (this.isReady) this.socket?.end(generate({ cmd: 'disconnect' }));
    else this.socket?.destroy();
  }

  ping(): void {
    if (this.isReady) this.socket?.write(generate({ cmd: 'pingreq' }));
  }

  private hear(packet: Packet): void {
    if (packet.cmd === 'connack' && packet.returnCode === 0) {
      const subscriptions = [{ topic: topics.ack(this.id), qos: 0 as const }];
      this.socket?.write(generate({ cmd: 'subscribe', messageId: 65_534, subscriptions }));
    } else if (packet.cmd === 'suback') {
      this.attempt = 0;
      this.isReady = true;
      this.parts.counters.connected++;
      this.publish(topics.status(this.id), this.status(true), 65_535, true);
      this.next = this.acknowledged;
      this.fill();
    } else if (packet.cmd === 'publish') {
      this.acknowledge(packet.payload as Buffer);
    }
  }

  private acknowledge(bytes: Uint8Array): void {
    const { epoch, streams } = decodeAck(bytes);
    const stream = streams[STREAM];
    if (epoch !== this.parts.options.epoch || !stream) return;
    const { counters, latency } = this.parts;
    counters.refused += stream.refused?.length ?? 0;
    // Batches go up in order on one connection: what is held is one range from 0, or will be.
    const last = stream.held[0] === 0 ? stream.held[1] : -1;
    const nowMs = performance.now();
    const taken = Math.max(0, last + 1 - this.acknowledged);
    for (const dueMs of this.dueMs.splice(0, taken)) latency.add((nowMs - dueMs) * 1000);
    counters.acknowledged += taken;
    this.acknowledged += taken;
    if (this.acknowledged > this.next) this.next = this.acknowledged;
    this.fill();
  }

  private fill(): void {
    const { options, templates, counters } = this.parts;
    const { socket } = this;
    while (
      this.isReady &&
      socket &&
      this.next < this.due &&
      this.next - this.acknowledged < options.window &&
      !socket.writableNeedDrain
    ) {
      const sequence = this.next++;
      if (sequence < this.sentMost) counters.resent++;
      else this.sentMost = this.next;
      const template = templates[sequence % templates.length];
      const header = headerOf(this.id, options.epoch, template);
      const dueUs = Math.round((performance.timeOrigin + this.dueMs[sequence - this.acknowledged]) * 1000);
      header.sequence = header.lastSequence = sequence;
      header.firstTimeUs = dueUs - options.intervalMs * 1000;
      header.lastTimeUs = header.firstTimeUs + (template.lastTimeUs - template.firstTimeUs);
      header.storeTimeUs = dueUs;
      const bytes = encodeBatch(header, template.payload);
      counters.bytes += bytes.length;
      this.publish(this.topic, bytes, (sequence % 65_000) + 1, false);
    }
  }

  private publish(topic: string, payload: Uint8Array, messageId: number, retain: boolean): void {
    this.socket?.write(
      generate({
        cmd: 'publish',
        topic,
        payload: Buffer.from(payload.buffer, payload.byteOffset, payload.length),
        qos: 1,
        messageId,
        retain,
        dup: false,
      }),
    );
  }

  private status(connected: boolean): Buffer {
    const { epoch } = this.parts.options;
    const timeUs = Math.round((performance.timeOrigin + performance.now()) * 1000);
    const stream = { kind: 'can', first: this.acknowledged, next: this.sentMost, bytes: 0, discarded: 0 };
    const status: GatewayStatus = {
      connected,
      epoch,
      version: 'load',
      timeUs,
      streams: { [STREAM]: stream },
    };
    return Buffer.from(encodeMessage(status));
  }

  private lost(): void {
    const { counters, random } = this.parts;
    if (this.isReady && !this.isClosing) counters.dropped++;
    if (!this.isReady && this.attempt > 0) counters.failed++;
    this.isReady = false;
    if (this.isClosing) return;
    const ceilingMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** this.attempt);
    this.attempt = Math.min(this.attempt + 1, 20);
    this.retry = setTimeout(() => this.open(), random() * ceilingMs);
  }

  get ready(): boolean {
    return this.isReady;
  }
}

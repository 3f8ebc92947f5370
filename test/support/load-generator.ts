// Gateways without a buffer: as a process of its own (see `startLoad`), sends batches to a cloud as fast as it
// acknowledges them, and counts what the acknowledgements say. Prints one JSON line at its end.
import { fork } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { generate, parser, type Packet } from 'mqtt-packet';
import { decodeBatch, encodeBatch, type BatchHeader } from '@fleetlog/shared/batch';
import { decodeAck, topics } from '@fleetlog/shared/topics';
import { candumpText } from '#sim/vehicle/can-bus.js';
import { candumpBatches } from './recorded.js';

export interface LoadOptions {
  host: string;
  port: number;
  /** Connections, each of a gateway of its own with one stream. */
  gateways: number;
  /** Batches of each that may be unacknowledged. */
  window: number;
  framesPerBatch: number;
  warmUpSeconds: number;
  seconds: number;
  /** Of the gateways' ids and of the epoch, so that a second run sends new batches. */
  run: number;
  /** Of all gateways; none where their ids are believed. */
  password?: string;
}

export interface LoadReport {
  /** Acknowledged in `seconds`, after the warm-up. */
  batches: number;
  frames: number;
  bytes: number;
  seconds: number;
  /** From sending to acknowledgement, ms. */
  latencyMs: { p50: number; p99: number };
  /** Of the generator's process, as part of one core. */
  cpuShare: number;
}

/** Runs the generator in a process of its own. */
export async function startLoad(options: LoadOptions): Promise<LoadReport> {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(options)], { silent: true });
  let output = '';
  let complaints = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  const status = await new Promise((resolve) => child.once('close', resolve));
  if (status !== 0) throw new Error(`the load generator ended with ${String(status)}: ${complaints}`);
  return JSON.parse(output) as LoadReport;
}

/** Different seconds of a drive, encoded once: only the headers change from batch to batch. */
function payloads(framesPerBatch: number): { header: BatchHeader; payload: Uint8Array }[] {
  const drive = { seed: 3, startUs: 1_700_000_000_000_000, durationUs: 40e6, rate: 2 };
  const text = Buffer.concat([...candumpText(drive)]);
  const batches = candumpBatches(text, { stream: 'can0' }, framesPerBatch).map((bytes) => decodeBatch(bytes));
  return batches.filter(({ header }) => header.recordCount === framesPerBatch);
}

class LoadGateway {
  acknowledged = 0;
  readonly latenciesMs: number[] = [];
  private next = 0;
  private readonly sentMs: number[] = [];
  private readonly socket: Socket;
  private readonly topic: string;
  private readonly templates: { header: BatchHeader; payload: Uint8Array }[];
  private ready = false;

  constructor(
    private readonly id: string,
    private readonly options: LoadOptions,
    batches: readonly { header: BatchHeader; payload: Uint8Array }[],
  ) {
    const epoch = options.run.toString(16).padStart(16, '0');
    this.templates = batches.map(({ header, payload }) => ({
      header: { ...header, gateway: id, epoch },
      payload,
    }));
    this.topic = topics.up(id, 'can0');
    this.socket = connect({ host: options.host, port: options.port, noDelay: true });
    const packets = parser({ protocolVersion: 4 });
    packets.on('packet', (packet: Packet) => this.receive(packet));
    this.socket.on('data', (chunk) => packets.parse(chunk));
    this.socket.on('drain', () => this.fill());
    this.socket.on('close', () => {
      if (this.ready) throw new Error(`the cloud ended the connection of ${id}`);
    });
    this.socket.write(
      generate({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 4,
        clean: true,
        clientId: id,
        username: id,
        ...(options.password !== undefined && { password: Buffer.from(options.password) }),
        keepalive: 60,
      }),
    );
  }

  end(): void {
    this.ready = false;
    this.socket.destroy();
  }

  private receive(packet: Packet): void {
    if (packet.cmd === 'connack') {
      const subscriptions = [{ topic: topics.ack(this.id), qos: 0 as const }];
      this.socket.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions }));
    } else if (packet.cmd === 'suback') {
      this.ready = true;
      this.fill();
    } else if (packet.cmd === 'publish') {
      const { held } = decodeAck(packet.payload as Buffer).streams.can0;
      if (held.length !== 2 || held[0] !== 0) throw new Error(`holes: ${held.join(' ')}`);
      const nowMs = performance.now();
      for (; this.acknowledged <= held[1]; this.acknowledged++) {
        this.latenciesMs.push(nowMs - this.sentMs[this.acknowledged % this.options.window]);
      }
      this.fill();
    }
  }

  private fill(): void {
    if (!this.ready) return;
    this.socket.cork();
    while (this.next - this.acknowledged < this.options.window && !this.socket.writableNeedDrain) {
      const sequence = this.next++;
      const { header, payload } = this.templates[sequence % this.templates.length];
      header.sequence = header.lastSequence = sequence;
      const bytes = encodeBatch(header, payload);
      this.sentMs[sequence % this.options.window] = performance.now();
      this.socket.write(publishHead(this.topic, (sequence % 65_535) + 1, bytes.length));
      this.socket.write(bytes);
    }
    this.socket.uncork();
  }
}

/** PUBLISH with QoS 1 up to the payload (MQTT 3.1.1, section 3.3). */
function publishHead(topic: string, messageId: number, payloadBytes: number): Uint8Array {
  let left = 2 + topic.length + 2 + payloadBytes;
  const length: number[] = [];
  do {
    length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    left >>>= 7;
  } while (left > 0);
  const head = Buffer.allocUnsafe(1 + length.length + 4 + topic.length);
  head[0] = 0x32;
  head.set(length, 1);
  let at = 1 + length.length;
  at = head.writeUInt16BE(topic.length, at);
  at += head.write(topic, at, 'latin1');
  head.writeUInt16BE(messageId, at);
  return head;
}

async function run(options: LoadOptions): Promise<LoadReport> {
  const batches = payloads(options.framesPerBatch);
  const bytesPerBatch =
    batches.reduce((sum, { header, payload }) => sum + encodeBatch(header, payload).length, 0) /
    batches.length;
  const gateways = Array.from(
    { length: options.gateways },
    (_, i) => new LoadGateway(`load-${i}`, options, batches),
  );
  const seconds = (count: number): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, count * 1000));
  const acknowledged = (): number => gateways.reduce((sum, gateway) => sum + gateway.acknowledged, 0);
  await seconds(options.warmUpSeconds);
  for (const { latenciesMs } of gateways) latenciesMs.length = 0;
  const before = { batches: acknowledged(), ms: performance.now(), cpu: process.cpuUsage() };
  await seconds(options.seconds);
  const elapsed = (performance.now() - before.ms) / 1000;
  const done = acknowledged() - before.batches;
  const { user, system } = process.cpuUsage(before.cpu);
  for (const gateway of gateways) gateway.end();
  const latencies = Float64Array.from(gateways.flatMap(({ latenciesMs }) => latenciesMs)).sort();
  return {
    batches: done,
    frames: done * options.framesPerBatch,
    bytes: Math.round(done * bytesPerBatch),
    seconds: elapsed,
    latencyMs: {
      p50: latencies[Math.floor(latencies.length / 2)] ?? 0,
      p99: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
    },
    cpuShare: (user + system) / 1e6 / elapsed,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2]) as LoadOptions)));
}

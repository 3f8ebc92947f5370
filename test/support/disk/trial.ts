import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { askGateway } from '#gateway/control/client.js';
import { controlSocketPath } from '#gateway/control/protocol.js';
import type { GatewayReport } from '#gateway/control/status.js';
import type { Cloud } from '../chaos/cloud.js';
import { Gateway } from '../chaos/gateway.js';
import { bins, Command } from '../chaos/process.js';
import { accountOf, type LossAccount } from '../damage/account.js';
import { distinctFrames } from '../damage/recording.js';
import { until } from '../until.js';

/** Of the recording, which can be read again, and of the live lines, which can't. */
const frameCount = 20_000;
const lineCount = 24_000;
const lineBytes = 101;
/** Nobody listens there. */
const nowhere = 'mqtt://127.0.0.1:9';
/** On a machine that has other things to do. */
export const patienceMs = 60_000;

const live = 'live0';

export interface TrialOptions {
  id: string;
  /** For all but its data. */
  folder: string;
  /** On the disk that fails. */
  dataFolder: string;
  /** Of the gateway's buffer, beside what makes it quick. */
  buffer?: object;
  /** Lines that come by themselves, beside the recording. */
  isLive: boolean;
}

/**
 * A real gateway without a cloud, whose data lie on a disk that fails: it reads a recording, and takes live lines that
 * nobody says twice. In the end it meets the cloud, and each record must be there or be explained.
 */
export class Trial {
  private constructor(
    readonly gateway: Gateway,
    private readonly isLive: boolean,
  ) {}

  static async prepare({ id, folder, dataFolder, buffer, isLive }: TrialOptions): Promise<Trial> {
    const noise = join(folder, 'noise');
    const steps = 60;
    const command =
      `for i in $(seq 0 ${steps - 1}); do dd if=${noise} bs=${(lineCount * lineBytes) / steps} skip=$i count=1 ` +
      'status=none || exit; sleep 0.05; done; exec sleep 3600';
    const batch = { linger: '20ms', records: 100 };
    const source = { source: 'command', command, format: 'lines', batch };
    const gateway = await Gateway.prepare(id, folder, [distinctFrames(frameCount)], {
      url: nowhere,
      batch,
      buffer: { writeBuffer: '64KiB', commitInterval: '10ms', limit: '16MiB', ...buffer },
      pace: () => 6,
      streams: isLive ? { [live]: source } : {},
      args: [],
      dataFolder,
    });
    if (isLive) {
      const lines = Array.from({ length: lineCount }, (_, i) => {
        const text = randomBytes(69).toString('base64');
        return `${String(i).padStart(8, '0')}${text.slice(0, lineBytes - 9)}\n`;
      });
      const input = Buffer.from(lines.join(''));
      await writeFile(noise, input);
      gateway.expectations.push({ gateway: id, stream: live, format: 'lines', input });
    }
    return new Trial(gateway, isLive);
  }

  get log(): string {
    return this.gateway.command.log;
  }

  /** What it says of itself; undefined while nobody answers. */
  async report(): Promise<GatewayReport | undefined> {
    try {
      return (await askGateway(controlSocketPath(this.gateway.dataFolder), 'status')) as GatewayReport;
    } catch {
      return undefined;
    }
  }

  /** Resolves when so many batches are durable. */
  async holds(batches: number): Promise<void> {
    await this.reports('batches are durable', ({ streams }) => sum(streams, (s) => s.durableNext) >= batches);
  }

  /** Resolves when all that there is to read is read and durable. */
  async settles(): Promise<void> {
    await this.reports('all is read and durable', ({ streams }) => {
      const isDurable = streams.every(({ next, durableNext }) => next === durableNext);
      return isDurable && isRead(streams, this.isLive);
    });
  }

  /** Resolves when the gateway says of itself what is waited for; rejects where it ends. */
  async reports(what: string, isSo: (report: GatewayReport) => boolean): Promise<void> {
    let last: GatewayReport | undefined;
    try {
      await until(
        what,
        async () => {
          if (!this.gateway.command.running) throw new Error(`the gateway ended while waiting: ${what}`);
          last = (await this.report()) ?? last;
          return last !== undefined && isSo(last);
        },
        patienceMs,
      );
    } catch (error) {
      const streams = JSON.stringify(last?.streams, undefined, 1);
      throw new Error(`${String(error)}\n${streams}\n${this.log.slice(-6000)}`, { cause: error });
    }
  }

  /** Resolves when it went on for a while on the full disk: gave up, or was refused, or has nothing more to read. */
  async metFullDisk(): Promise<void> {
    const before = this.log.length;
    await this.reports('the full disk is met', ({ streams, space }) => {
      const isMet = /No space left|ENOSPC/.test(this.log.slice(before)) || space?.full === 'disk';
      return isMet || isRead(streams, this.isLive);
    });
  }

  /** A life that brings what there is to the cloud, and what became of each stream. */
  async accounts(cloud: Cloud): Promise<LossAccount[]> {
    const { gateway } = this;
    const config = JSON.parse(await readFile(gateway.configPath, 'utf8')) as {
      uplink: { url: string };
      streams: Record<string, object>;
    };
    config.uplink.url = `mqtt://127.0.0.1:${cloud.mqttPort}`;
    delete config.streams[live]; // it would say all again
    await writeFile(gateway.configPath, JSON.stringify(config));
    const last = new Command(gateway.id, bins.gateway, ['--config', gateway.configPath, '--until-drained']);
    last.start();
    const { status } = await last.ended(patienceMs);
    if (status !== 0) throw new Error(`the life that drains ended with ${status}:\n${last.log.slice(-6000)}`);
    this.gateway.command.log += last.log;
    const complaint = await cloud.gaps(gateway.id);
    if (complaint !== undefined)
      throw new Error(`fleetlog gaps says: ${complaint}\n${this.log.slice(-6000)}`);
    return Promise.all(gateway.expectations.map((expectation) => accountOf(cloud, expectation)));
  }
}

type Streams = GatewayReport['streams'];
const sum = (streams: Streams, of: (stream: Streams[number]) => number): number =>
  streams.reduce((total, stream) => total + of(stream), 0);

/** Each live line; without them the recording, which waits where a full buffer could only give up the older for it. */
function isRead(streams: Streams, withLive: boolean): boolean {
  const of = (name: string): Streams[number]['source'] =>
    streams.find(({ stream }) => stream === name)?.source;
  if (withLive) return of(live)?.records === lineCount;
  const { positionBytes, totalBytes } = of('can0') ?? {};
  return totalBytes !== undefined && positionBytes === totalBytes;
}

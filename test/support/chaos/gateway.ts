import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Expectation } from './check.js';
import { bins, Command, run, type Output } from './process.js';
import type { Recording } from './recordings.js';

export interface GatewayOptions {
  /** `mqtt://…` of the cloud, or of the proxy in front of it. */
  url: string;
  uplink?: object;
  buffer?: object;
  batch?: object;
  /** `max`, `original` or a factor. */
  pace?: (recording: Recording) => string | number;
  args?: string[];
  /** What starts it, such as `ip netns exec NAME`. */
  within?: readonly string[];
  /** Streams besides the recordings. */
  streams?: Record<string, object>;
  /** Where the data go, if not beside the configuration. */
  dataFolder?: string | undefined;
}

/** A real `fleetlog-gateway` that takes recordings as they were, with its configuration in a folder of its own. */
export class Gateway {
  readonly command: Command;
  readonly configPath: string;
  readonly dataFolder: string;
  readonly expectations: Expectation[] = [];

  private constructor(
    readonly id: string,
    folder: string,
    { args = ['--until-drained'], within = [], dataFolder = join(folder, 'data') }: GatewayOptions,
  ) {
    this.configPath = join(folder, 'gateway.yaml');
    this.dataFolder = dataFolder;
    this.command = new Command(id, bins.gateway, ['--config', this.configPath, ...args], within);
  }

  /** Streams are `can0`, `can1`, … and `gps0`, … in the order of the recordings. */
  static async prepare(
    id: string,
    folder: string,
    recordings: readonly Recording[],
    options: GatewayOptions,
  ): Promise<Gateway> {
    const gateway = new Gateway(id, folder, options);
    await mkdir(folder, { recursive: true });
    const streams: Record<string, object> = { ...options.streams };
    const counts = { candump: 0, lines: 0 };
    for (const recording of recordings) {
      const { format, bytes } = recording;
      const stream = `${format === 'candump' ? 'can' : 'gps'}${counts[format]++}`;
      const path = join(folder, `${stream}.input`);
      await writeFile(path, bytes);
      streams[stream] = {
        source: 'file',
        path,
        format,
        times: 'original',
        pace: options.pace?.(recording) ?? 'max',
        ...(options.batch && { batch: options.batch }),
      };
      gateway.expectations.push({ gateway: id, stream, format, input: bytes });
    }
    const uplink = { url: options.url, ...options.uplink };
    // JSON is YAML.
    await writeFile(
      gateway.configPath,
      JSON.stringify(
        { gateway: id, data: gateway.dataFolder, uplink, buffer: options.buffer ?? {}, streams },
        null,
        2,
      ),
    );
    return gateway;
  }

  /** Resolves when everything is read and the cloud has acknowledged it. */
  async drained(timeoutMs: number): Promise<void> {
    const { status, signal } = await this.command.ended(timeoutMs);
    if (status !== 0)
      throw new Error(`${this.id} ended with ${status ?? signal}:\n${this.command.log.slice(-4000)}`);
  }

  status(): Promise<Output> {
    return run(bins.gateway, ['status', '--config', this.configPath, '--json']);
  }
}

import { mkdir } from 'node:fs/promises';
import type { CloudView, Expectation } from './check.js';
import { bins, Command, run, type Output } from './process.js';

export interface CloudOptions {
  args?: string[];
  /** What starts it, such as `ip netns exec NAME`. */
  within?: readonly string[];
  /** Where it listens for gateways; null where its configuration says. */
  mqtt?: string | null;
}

/** A real `fleetlog-cloud` on free ports, and `fleetlog` talking to it. */
export class Cloud implements CloudView {
  readonly command: Command;
  mqttPort = 0;
  httpPort = 0;

  private readonly within: readonly string[];

  constructor(
    readonly folder: string,
    { args = [], within = [], mqtt = '127.0.0.1:0' }: CloudOptions = {},
  ) {
    this.within = within;
    const listen = ['--http', '127.0.0.1:0', ...(mqtt === null ? [] : ['--mqtt', mqtt])];
    this.command = new Command('cloud', bins.cloud, ['--data', folder, ...listen, ...args], within);
  }

  /** Resolves when it serves; the ports change with every start. */
  async start(): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    this.command.start();
    const ready = await this.command.says(/^ready mqtt=\S+:(\d+)(?: http=\S+:(\d+))?$/m);
    this.mqttPort = Number(ready[1]);
    this.httpPort = Number(ready[2]);
  }

  fleetlog(...args: string[]): Promise<Output> {
    const [command, ...rest] = args;
    return run(bins.fleetlog, [command, '--url', `http://127.0.0.1:${this.httpPort}`, ...rest], this.within);
  }

  async exportStream({ gateway, stream, format }: Expectation): Promise<Buffer> {
    const names = ['--gateway', gateway, '--stream', stream, '--format', format];
    const { status, stdout, stderr } = await this.fleetlog('export', ...names);
    if (status !== 0) throw new Error(`fleetlog export ${names.join(' ')} ended with ${status}: ${stderr}`);
    return stdout;
  }

  async recordCounts(): Promise<Map<string, number>> {
    const { status, stdout, stderr } = await this.fleetlog('streams', '--json');
    if (status !== 0) throw new Error(`fleetlog streams ended with ${status}: ${stderr}`);
    const streams = JSON.parse(stdout.toString()) as { gateway: string; stream: string; records: number }[];
    return new Map(streams.map(({ gateway, stream, records }) => [`${gateway}/${stream}`, records]));
  }

  async gaps(gateway: string): Promise<string | undefined> {
    const { status, stdout, stderr } = await this.fleetlog('gaps', '--gateway', gateway);
    return status === 0 ? undefined : `${stdout.toString().trim()} ${stderr.trim()} (status ${status})`;
  }
}

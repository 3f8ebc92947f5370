import { execFile, execFileSync } from 'node:child_process';
import { accessSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../until.js';

export type Side = 'gateway' | 'cloud';

const execute = promisify(execFile);

const addresses: Record<Side, string> = { gateway: '10.77.0.2', cloud: '10.77.0.1' };

let made = 0;

/**
 * A real network between gateways and cloud: two namespaces of this machine's kernel with a wire between them, which
 * can be narrow, long, lossy, cut, or half-open. Needs root, `ip`, `tc` and `nft`; a long one also vde and wirefilter,
 * since kernels of virtual machines often lack netem.
 */
export class Network implements AsyncDisposable {
  readonly cloudAddress = addresses.cloud;

  private constructor(
    private readonly names: Record<Side, string>,
    private readonly devices: Record<Side, string>,
    private readonly folder: string | undefined,
  ) {}

  /** Why there can be no such network here; undefined where there can. */
  static whyNot({ delay = false } = {}): string | undefined {
    if (process.getuid?.() !== 0) return 'needs root';
    const tools = ['ip', 'tc', 'nft', ...(delay ? ['vde_switch', 'wirefilter'] : [])];
    for (const tool of tools) {
      try {
        execFileSync('/bin/sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' });
      } catch {
        return `needs ${tool}`;
      }
    }
    try {
      if (delay) accessSync('/dev/net/tun');
      const name = `fleetlog-try-${process.pid}`;
      execFileSync('ip', ['netns', 'add', name], { stdio: 'ignore' });
      execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
    } catch {
      return 'needs network namespaces';
    }
    return undefined;
  }

  /** `delayMs`: how long each packet takes, each way. */
  static async create({ delayMs = 0 } = {}): Promise<Network> {
    const id = `fl${process.pid}-${made++}`;
    const names = { gateway: `${id}-g`, cloud: `${id}-c` };
    for (const name of Object.values(names)) await execute('ip', ['netns', 'add', name]);
    const folder = delayMs > 0 ? await mkdtemp(join(tmpdir(), 'fleetlog-net-')) : undefined;
    const network = new Network(names, { gateway: `g${made}`, cloud: `c${made}` }, folder);
    try {
      await (folder === undefined ? network.wire() : network.longWire(folder, delayMs));
      for (const side of ['gateway', 'cloud'] as const) {
        const device = network.devices[side];
        await network.run(side, 'ip', 'link', 'set', 'lo', 'up');
        await network.run(side, 'ip', 'addr', 'add', `${addresses[side]}/24`, 'dev', device);
        await network.run(side, 'ip', 'link', 'set', device, 'up');
      }
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
    return network;
  }

  /** What to put before a command so that it runs on this side. */
  within(side: Side): string[] {
    return ['ip', 'netns', 'exec', this.names[side]];
  }

  /** The gateways' way up carries so much. */
  async narrow(bitsPerSecond: number): Promise<void> {
    const queue = ['root', 'tbf', 'rate', `${bitsPerSecond}bit`, 'burst', '4kb', 'latency', '400ms'];
    await this.run('gateway', 'tc', 'qdisc', 'replace', 'dev', this.devices.gateway, ...queue);
  }

  /** Of a hundred packets, so many vanish, each way; 0 ends it. */
  async lose(percent: number): Promise<void> {
    const rule = `numgen random mod 100 < ${percent} drop`;
    await this.filter(percent > 0 ? [`input ${rule}`, `output ${rule}`] : []);
  }

  /** Nothing comes through and nobody is told; as a NAT that forgot, or a tunnel. */
  async partition(on: boolean): Promise<void> {
    await this.filter(on ? ['input drop', 'output drop'] : []);
  }

  /** What gateways send vanishes; what the cloud sends still comes. */
  async halfOpen(on: boolean): Promise<void> {
    await this.filter(on ? ['input drop'] : []);
  }

  /** Whoever sends on a connection gets a reset, until this ends. */
  async reject(on: boolean): Promise<void> {
    await this.filter(on ? ['input tcp dport != 0 reject with tcp reset'] : []);
  }

  /** Bytes that gateways sent up so far, as the network card counts them. */
  async sentBytes(): Promise<number> {
    const path = `/sys/class/net/${this.devices.gateway}/statistics/tx_bytes`;
    return Number((await this.run('gateway', 'cat', path)).stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.folder !== undefined) {
      for (const part of ['filter', 'gateway', 'cloud']) {
        const pid = await readFile(join(this.folder, `${part}.pid`), 'utf8').catch(() => undefined);
        if (pid !== undefined) process.kill(Number(pid), 'SIGKILL');
      }
      await rm(this.folder, { recursive: true, force: true });
    }
    for (const name of Object.values(this.names)) await execute('ip', ['netns', 'del', name]);
  }

  private async wire(): Promise<void> {
    const { names, devices } = this;
    const peer = ['type', 'veth', 'peer', 'name', devices.cloud, 'netns', names.cloud];
    await this.run('gateway', 'ip', 'link', 'add', devices.gateway, ...peer);
  }

  private async longWire(folder: string, delayMs: number): Promise<void> {
    const at = (name: string): string => join(folder, name);
    for (const side of ['gateway', 'cloud'] as const) {
      const tap = ['-tap', this.devices[side], '-d', '-p', at(`${side}.pid`)];
      await this.run(side, 'vde_switch', '-s', at(side), ...tap);
    }
    const ends = `${at('gateway')}:${at('cloud')}`;
    await execute('wirefilter', [
      '-v',
      ends,
      '-d',
      `${delayMs}`,
      '-M',
      at('control'),
      '--daemon',
      '-p',
      at('filter.pid'),
    ]);
    await until('the filter', () => readFile(at('filter.pid'), 'utf8').catch(() => undefined));
  }

  private async filter(rules: string[]): Promise<void> {
    const text = [
      'table inet fleetlog',
      'delete table inet fleetlog',
      'add table inet fleetlog',
      ...['input', 'output'].map(
        (hook) => `add chain inet fleetlog ${hook} { type filter hook ${hook} priority 0; }`,
      ),
      ...rules.map((rule) => `add rule inet fleetlog ${rule}`),
    ].join('\n');
    await this.run('cloud', 'nft', text);
  }

  private run(side: Side, ...command: string[]): Promise<{ stdout: string }> {
    const [program, ...args] = [...this.within(side), ...command];
    return execute(program, args);
  }
}

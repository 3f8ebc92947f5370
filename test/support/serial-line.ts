import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './until.js';

export const hasSocat = spawnSync('socat', ['-V']).status === 0;
export const whyNoSocat = 'socat is not installed (apt-get install socat)';

/**
 * A serial line between two pseudo-terminals: the gateway opens `port`, the device writes to `socat`'s standard input
 * or is a command.
 */
export class SerialLine implements AsyncDisposable {
  readonly port: string;
  private process: ChildProcess | undefined;

  constructor(
    folder: string,
    /** Without one, `write` is the device. */
    private readonly command?: string,
  ) {
    this.port = join(folder, 'ttyTEST');
  }

  async plug(): Promise<void> {
    const device = this.command === undefined ? 'STDIO' : `SYSTEM:'${this.command}'`;
    const child = spawn('socat', [`PTY,raw,echo=0,link=${this.port}`, device], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    });
    this.process = child;
    await until('the port is there', () => existsSync(this.port));
  }

  /** Resolves when the bytes have left. */
  async write(bytes: Uint8Array): Promise<void> {
    const input = this.process!.stdin!;
    if (!input.write(bytes)) await once(input, 'drain');
  }

  /** What the gateway wrote to its port. */
  onOutput(listener: (bytes: Buffer) => void): void {
    this.process!.stdout!.on('data', listener);
  }

  /** As if the plug was pulled: the port vanishes. */
  async unplug(): Promise<void> {
    const child = this.process;
    if (!child) return;
    this.process = undefined;
    const ended = once(child, 'exit');
    process.kill(-child.pid!, 'SIGTERM');
    await ended;
    await until('the port is gone', () => !existsSync(this.port));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unplug();
  }
}

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { until } from './until.js';

/** Longer than any start or end takes on a busy machine, and shorter than a test has. */
const lifeMs = 50_000;

const bin = fileURLToPath(new URL('../../../cloud/dist/cli/cloud-bin.js', import.meta.url));

/** `fleetlog-cloud` as people run it. */
export class CloudProcess implements AsyncDisposable {
  stdout = '';
  stderr = '';
  private readonly exited: Promise<unknown>;

  private constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.exited = once(child, 'close');
  }

  static start(
    args: readonly string[],
    environment: Record<string, string> = {},
    cwd?: string,
  ): CloudProcess {
    const env = { PATH: process.env['PATH'], ...environment };
    return new CloudProcess(
      spawn(process.execPath, [bin, ...args], { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
  }

  /** Starts on free ports and waits until it serves. */
  static async serve(data: string, ...more: string[]): Promise<CloudProcess> {
    const cloud = CloudProcess.start([
      '--data',
      data,
      '--mqtt',
      '127.0.0.1:0',
      '--http',
      '127.0.0.1:0',
      ...more,
    ]);
    await cloud.ready();
    return cloud;
  }

  async ready(): Promise<void> {
    await until(
      'it serves',
      () => {
        if (this.child.exitCode !== null)
          throw new Error(`ended with ${this.child.exitCode}: ${this.stderr}`);
        return this.stdout.includes('\n');
      },
      lifeMs,
    );
  }

  get mqttPort(): number {
    return Number(/^ready mqtt=.*:(\d+) http=/.exec(this.stdout)?.[1]);
  }

  get httpUrl(): string {
    return `http://${/ http=(\S+)/.exec(this.stdout)?.[1]}`;
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Resolves with the exit status, or the signal that ended it; rejects where it goes on instead. */
  async end(): Promise<number | NodeJS.Signals> {
    const late = new AbortController();
    const tooLong = sleep(lifeMs, undefined, { signal: late.signal }).then(
      () => Promise.reject(new Error(`it doesn't end:\n${this.stdout}${this.stderr}`)),
      () => {},
    );
    await Promise.race([this.exited, tooLong]);
    late.abort();
    return this.child.exitCode ?? (this.child.signalCode as NodeJS.Signals);
  }

  kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    this.child.kill(signal);
    return this.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill('SIGKILL');
  }
}

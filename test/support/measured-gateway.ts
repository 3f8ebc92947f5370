import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { askGateway } from '#gateway/control/client.js';
import { controlSocketPath } from '#gateway/control/protocol.js';
import type { GatewayReport } from '#gateway/control/status.js';
import { bins } from './chaos/process.js';
import { until } from './until.js';

/** `fleetlog-gateway` as people start it, by its file's first line: that one sets what the C library does with memory. */
export class MeasuredGateway implements AsyncDisposable {
  private readonly exited: Promise<unknown>;
  private stderr = '';

  private constructor(
    private readonly child: ChildProcess,
    private readonly data: string,
  ) {
    child.stderr?.on(
      'data',
      (chunk: Buffer) => (this.stderr = (this.stderr + chunk.toString()).slice(-4000)),
    );
    this.exited = once(child, 'close');
  }

  /** With this configuration, kept in `folder`, and its data in a folder below. */
  static async start(folder: string, config: object): Promise<MeasuredGateway> {
    const data = join(folder, 'data');
    const path = join(folder, 'gateway.yaml');
    await writeFile(path, JSON.stringify({ gateway: 'measured', data, ...config })); // JSON is YAML
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };
    const child = spawn(bins.gateway, ['--config', path], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    return new MeasuredGateway(child, data);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** As a running gateway tells it; undefined before it listens. */
  async report(): Promise<GatewayReport | undefined> {
    if (this.child.exitCode !== null) throw new Error(`The gateway ended:\n${this.stderr}`);
    return (await askGateway(controlSocketPath(this.data), 'status')) as GatewayReport | undefined;
  }

  /** Resolves with the report that `isDone`. */
  reports(
    what: string,
    isDone: (report: GatewayReport) => boolean,
    timeoutMs: number,
  ): Promise<GatewayReport> {
    return until(
      what,
      async () => {
        const report = await this.report();
        return report && isDone(report) ? report : undefined;
      },
      timeoutMs,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGTERM');
    await this.exited;
  }
}

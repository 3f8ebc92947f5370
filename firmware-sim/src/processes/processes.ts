import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FleetlogError } from '@fleetlog/shared/errors';

/** Every process gets this long to end by itself: gateways first, then the cloud, together within 5 s. */
const GRACE_MS = 2200;

export interface RunningProcess {
  name: string;
  child: ChildProcess;
  /** Exit status; 128 where a signal ended it. */
  exit: Promise<number>;
  logPath: string;
}

/**
 * The processes of the demo: each in a group of its own, so that Ctrl-C in the terminal reaches the demo alone and
 * they end in the right order; each logs into a file.
 */
export class Processes {
  private readonly running = new Set<RunningProcess>();
  /** Names of those that have a log of this run. */
  private readonly logged = new Set<string>();
  private readonly warden: ChildProcess;

  private constructor(private readonly logFolder: string) {
    const path = fileURLToPath(new URL('./warden.js', import.meta.url));
    this.warden = spawn(process.execPath, [path], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    this.warden.stdin?.on('error', () => undefined); // it is only for the case that we are killed
    this.warden.unref();
  }

  static async create(logFolder: string): Promise<Processes> {
    await mkdir(logFolder, { recursive: true });
    return new Processes(logFolder);
  }

  /** Runs a script of the product with this Node; `environment` is in addition to ours. */
  start(
    name: string,
    script: string,
    args: readonly string[],
    environment: Record<string, string> = {},
  ): RunningProcess {
    const logPath = join(this.logFolder, `${name}.log`);
    const log = openSync(logPath, this.logged.has(name) ? 'a' : 'w'); // what it said before it was killed is kept
    this.logged.add(name);
    const child = spawn(process.execPath, [script, ...args], {
      stdio: ['ignore', 'pipe', log],
      detached: true,
      env: { ...process.env, ...environment },
    });
    closeSync(log);
    const exit = once(child, 'exit').then(([status]) => (status as number | null) ?? 128);
    const running: RunningProcess = { name, child, exit, logPath };
    this.running.add(running);
    this.warden.stdin?.write(`+${child.pid}\n`);
    void exit.then(() => {
      this.running.delete(running);
      this.warden.stdin?.write(`-${child.pid}\n`);
    });
    return running;
  }

  /** SIGTERM to those named, or to all; what hasn't ended in time is killed. */
  async stop(processes: Iterable<RunningProcess> = this.running): Promise<void> {
    await Promise.all(
      [...processes].map(async ({ child, exit }) => {
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
        await exit;
        clearTimeout(timer);
      }),
    );
  }

  /** No process is left when it resolves. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.warden.stdin?.end();
  }
}

/** Resolves with what `pattern` finds on a process's stdout. Errors: that of the process, where it ends before. */
export async function announcement(running: RunningProcess, pattern: RegExp): Promise<RegExpExecArray> {
  let text = '';
  const found = Promise.withResolvers<RegExpExecArray>();
  running.child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-4096);
    const match = pattern.exec(text);
    if (match) found.resolve(match);
  });
  const failure = running.exit.then(() => {
    throw failureOf(running);
  });
  return Promise.race([found.promise, failure]);
}

/** The sentence with which a process of the product ended, passed on. */
export function failureOf({ name, logPath }: RunningProcess): FleetlogError {
  const lines = readFileSync(logPath, 'utf8').trimEnd().split('\n');
  const sentence = lines.findLast((line) => /^fleetlog[a-z-]*: /.test(line)) ?? `fleetlog: ${name} ended.`;
  return new FleetlogError(
    'FLEETLOG_INTERRUPTED',
    `${sentence.replace(/^[a-z-]+: /, '')} (${name}; log: ${logPath})`,
  );
}

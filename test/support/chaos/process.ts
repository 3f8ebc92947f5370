import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const bins = {
  gateway: fileURLToPath(import.meta.resolve('#gateway/cli/bin.js')),
  cloud: fileURLToPath(import.meta.resolve('#cloud/cli/cloud-bin.js')),
  fleetlog: fileURLToPath(import.meta.resolve('#cloud/cli/fleetlog-bin.js')),
  sim: fileURLToPath(import.meta.resolve('#sim/cli/bin.js')),
};

const LOG_CHARACTERS_MAX = 200_000;

export interface Exit {
  status: number | null;
  signal: NodeJS.Signals | null;
}

/** A command of the product in a process of its own, with what it says kept for the case that a test fails. */
export class Command {
  private child: ChildProcess | undefined;
  private exit: Promise<Exit> | undefined;
  /** What it wrote to stdout and stderr over all its lives, the last part of it. */
  log = '';
  starts = 0;

  constructor(
    readonly name: string,
    private readonly bin: string,
    private readonly args: string[],
    /** What starts it, such as `ip netns exec NAME`. */
    private readonly within: readonly string[] = [],
  ) {}

  get running(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Of the last life; null while it runs, and where a signal ended it. */
  get exitStatus(): number | null {
    return this.child?.exitCode ?? null;
  }

  start(): void {
    if (this.running) throw new Error(`${this.name} runs already`);
    this.starts++;
    this.note(`--- start ${this.starts}\n`);
    const [program, ...args] = [...this.within, process.execPath, this.bin, ...this.args];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.note(text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.note(text));
    const endWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', endWithUs);
    this.exit = once(child, 'close').then(([status, signal]) => {
      process.off('exit', endWithUs);
      this.note(`--- end: ${status ?? signal}\n`);
      return { status, signal } as Exit;
    });
  }

  /** Resolves with the match of `pattern` in what this life says; rejects where it ends before that. */
  async says(pattern: RegExp, timeoutMs = 30_000): Promise<RegExpExecArray> {
    const child = this.child;
    const lifeStart = `--- start ${this.starts}\n`;
    const found = (): RegExpExecArray | null =>
      pattern.exec(this.log.slice(Math.max(0, this.log.lastIndexOf(lifeStart))));
    const done = Promise.withResolvers<RegExpExecArray>();
    const look = (): void => {
      const match = found();
      if (match) done.resolve(match);
    };
    const fail = (why: string) => (): void =>
      done.reject(
        new Error(`${this.name} ${why} before it said ${String(pattern)}:\n${this.log.slice(-4000)}`),
      );
    const ended = fail('ended');
    const timer = setTimeout(fail(`took over ${timeoutMs} ms`), timeoutMs);
    child?.stdout?.on('data', look);
    child?.stderr?.on('data', look);
    child?.on('close', ended);
    try {
      look();
      return await done.promise;
    } finally {
      clearTimeout(timer);
      child?.stdout?.off('data', look);
      child?.stderr?.off('data', look);
      child?.off('close', ended);
    }
  }

  /** As a power cut does it to a process: SIGKILL. Resolves when it is gone. */
  async kill(): Promise<void> {
    if (!this.running) return;
    this.child?.kill('SIGKILL');
    await this.exit;
  }

  signal(name: NodeJS.Signals): void {
    this.child?.kill(name);
  }

  /** SIGTERM, as an operator does. */
  async stop(): Promise<Exit | undefined> {
    if (this.running) this.child?.kill('SIGTERM');
    return this.exit;
  }

  /** Resolves when this life is over. */
  async ended(timeoutMs: number): Promise<Exit> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${this.name} didn't end within ${timeoutMs} ms`)),
        timeoutMs,
      );
    });
    try {
      return await Promise.race([this.exit ?? late, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  private note(text: string): void {
    this.log = (this.log + text).slice(-LOG_CHARACTERS_MAX);
  }
}

export interface Output extends Exit {
  stdout: Buffer;
  stderr: string;
}

/** Runs a command to its end. */
export async function run(bin: string, args: string[], within: readonly string[] = []): Promise<Output> {
  const [program, ...rest] = [...within, process.execPath, bin, ...args];
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { status, signal, stdout: Buffer.concat(stdout), stderr };
}

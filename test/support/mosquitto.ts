import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from './free-ports.js';
import { until } from './until.js';

export interface MosquittoOptions {
  /** Passwords by user; the cloud's user is `fleetlog-cloud`. */
  users?: Record<string, string>;
  /** More lines for its configuration. */
  lines?: string[];
  host?: string;
  /** What starts it, such as `ip netns exec NAME`. */
  within?: readonly string[];
}

const acl = fileURLToPath(new URL('../../../cloud/deploy/mosquitto.acl', import.meta.url));

/** A real mosquitto with the access rules that Fleetlog ships, on a port that stays the same over its lives. */
export class Mosquitto {
  log = '';
  private child: ChildProcess | undefined;

  private constructor(
    private readonly config: string,
    readonly host: string,
    readonly port: number,
    private readonly within: readonly string[],
  ) {}

  static whyNot(): string | undefined {
    try {
      execFileSync('/bin/sh', ['-c', 'command -v mosquitto && command -v mosquitto_passwd'], {
        stdio: 'ignore',
      });
      return undefined;
    } catch {
      return 'needs mosquitto';
    }
  }

  static async start(folder: string, options: MosquittoOptions = {}): Promise<Mosquitto> {
    const { users = {}, lines = [], host = '127.0.0.1', within = [] } = options;
    await mkdir(folder, { recursive: true });
    const passwords = join(folder, 'passwords');
    const text = Object.entries({ 'fleetlog-cloud': 'cloud-secret', ...users }).map((pair) => pair.join(':'));
    await writeFile(passwords, `${text.join('\n')}\n`, { mode: 0o600 });
    execFileSync('mosquitto_passwd', ['-U', passwords]);
    const [port] = await freePorts(1);
    const config = join(folder, 'mosquitto.conf');
    const settings = [
      `listener ${port} ${host}`,
      'allow_anonymous false',
      `password_file ${passwords}`,
      `acl_file ${acl}`,
      'persistence false',
      ...(process.getuid?.() === 0 ? ['user root'] : []),
      ...lines,
    ];
    await writeFile(config, `${settings.join('\n')}\n`);
    const broker = new Mosquitto(config, host, port, within);
    await broker.restart();
    return broker;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** What the cloud's configuration says of it. */
  cloudConfig(more: object = {}): object {
    const broker = {
      url: `mqtt://${this.host}:${this.port}`,
      username: 'fleetlog-cloud',
      password: 'cloud-secret',
    };
    return { mqtt: { broker: { ...broker, ...more } } };
  }

  /** Starts it, with nothing of its former life: its disk is gone too. */
  async restart(): Promise<void> {
    await this.kill();
    const [program, ...args] = [...this.within, 'mosquitto', '-c', this.config];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    const note = (text: string): void => void (this.log = (this.log + text).slice(-20_000));
    const before = this.log.length;
    child.stdout.setEncoding('utf8').on('data', note);
    child.stderr.setEncoding('utf8').on('data', note);
    const endWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', endWithUs);
    child.once('close', () => process.off('exit', endWithUs));
    await until(
      'mosquitto',
      () => /mosquitto version .* running/.test(this.log.slice(before)) || child.exitCode !== null,
    );
    if (child.exitCode !== null) throw new Error(`mosquitto ended: ${this.log}`);
  }

  async kill(): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }
}

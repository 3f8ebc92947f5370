import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from '../until.js';

const run = promisify(execFile);

/**
 * What becomes of writes that weren't flushed: all are gone, or a random half of the sectors. Or there is no cache, and
 * the disk gives errors when it is told to. Or the power stays, and only the disk's users are killed.
 */
export type Loss = 'all' | { halfOfSeed: number } | 'none' | 'users';
/** What gives errors (EIO). */
export type FailingRequests = 'reads' | 'writes';

const tornDisk = fileURLToPath(new URL('torn-disk.js', import.meta.url));
/** Of servers and the kernel, on a machine that has other things to do. */
const settleMsMax = 60_000;
const tools = ['nbdkit', 'nbdfuse', 'losetup', 'mkfs.ext4', 'fusermount3'];

/** Why no power can be cut here; undefined where it can. */
export function noPowerToCut(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, to mount a disk of its own';
  if (!existsSync('/dev/fuse')) return 'needs /dev/fuse';
  if (!existsSync('/dev/loop-control')) return 'needs loop devices';
  const folders = (process.env.PATH ?? '').split(':');
  const missing = tools.find((tool) => !folders.some((folder) => existsSync(join(folder, tool))));
  if (missing !== undefined) return `needs ${missing}`;
  return undefined;
}

/**
 * A disk with a volatile cache, as an SD card has: what wasn't flushed is gone when its power is cut. The file system
 * (ext4) lies on a loop device, that on a file of nbdfuse, that on a server which keeps writes in its memory until the
 * kernel asks for a flush.
 */
export class PowerDisk implements AsyncDisposable {
  /** Where it is mounted while it is. */
  readonly path: string;
  private readonly image: string;
  private readonly fuse: string;
  private readonly socket: string;
  private loss: Loss = 'all';
  private server: ChildProcess | undefined;
  private fuseServer: ChildProcess | undefined;
  private loop: string | undefined;
  private readonly endWithUs = (): void => this.tearDown();

  private constructor(folder: string) {
    this.path = join(folder, 'mnt');
    this.image = join(folder, 'disk.img');
    this.fuse = join(folder, 'fuse');
    this.socket = join(folder, 'nbd.sock');
    process.once('exit', this.endWithUs);
  }

  static async create(folder: string, bytes: number): Promise<PowerDisk> {
    const disk = new PowerDisk(folder);
    await mkdir(disk.path, { recursive: true });
    await mkdir(disk.fuse, { recursive: true });
    const file = await open(disk.image, 'w');
    await file.truncate(bytes);
    await file.close();
    await run('mkfs.ext4', ['-q', '-F', disk.image]);
    return disk;
  }

  /** Mounts it with its cache before it. */
  async powerOn(loss: Loss): Promise<void> {
    await rm(this.socket, { force: true });
    this.loss = loss;
    this.server =
      typeof loss === 'string'
        ? quiet('nbdkit', this.nbdkit(loss))
        : quiet(process.execPath, [tornDisk, this.socket, this.image, String(loss.halfOfSeed)]);
    await until('the disk serves', () => existsSync(this.socket), settleMsMax);
    this.fuseServer = quiet('nbdfuse', [`${this.fuse}/`, '--unix', this.socket]);
    const file = join(this.fuse, 'nbd');
    await until('the disk is a file', () => existsSync(file), settleMsMax);
    const { stdout } = await run('losetup', ['-f', '--show', file]);
    this.loop = stdout.trim();
    await run('mount', [this.loop, this.path]);
  }

  /** What wasn't flushed is gone from here on; `killUsers` ends the processes that have files open on it. */
  async cutPower(killUsers: () => Promise<void>): Promise<void> {
    if (this.loss === 'users') {
      await killUsers();
      await run('umount', [this.path]);
    }
    await ended(this.server, typeof this.loss === 'string' ? 'SIGKILL' : 'SIGUSR2');
    if (this.loss !== 'users') {
      await killUsers();
      await run('umount', ['--lazy', this.path]);
    }
    await run('losetup', ['-d', this.loop!]).catch(() => undefined); // goes by itself with the last user
    await run('fusermount3', ['-uz', this.fuse]).catch(() => undefined); // nbdfuse may have ended it
    await ended(this.fuseServer);
    await until('the kernel has let go of the disk', async () => !(await this.isAttached()), settleMsMax);
    this.loop = undefined;
  }

  /** From here on these requests fail; only a disk without a cache can. */
  async fail(what: FailingRequests): Promise<void> {
    await writeFile(this.failing(what), '');
  }

  /** None fails any more. */
  async heal(): Promise<void> {
    for (const what of ['reads', 'writes'] as const) await rm(this.failing(what), { force: true });
  }

  /** Puts the file system right as a boot does; it isn't mounted. */
  async repair(): Promise<void> {
    // Status 1: errors were there, and aren't any more.
    await run('e2fsck', ['-fy', this.image]).catch((error: unknown) => {
      if ((error as { code?: unknown }).code !== 1) throw error;
    });
  }

  /** Mounts what is really on it, without any cache; it stays for `use`. */
  async mounted<T>(use: () => Promise<T>): Promise<T> {
    await run('mount', ['-o', 'loop', this.image, this.path]);
    try {
      return await use();
    } finally {
      await run('umount', [this.path]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.endWithUs);
    this.tearDown();
    await Promise.all([ended(this.server), ended(this.fuseServer)]);
  }

  private failing(what: FailingRequests): string {
    return `${this.image}.fails-${what}`;
  }

  private nbdkit(loss: Extract<Loss, string>): string[] {
    const options = ['-f', '-U', this.socket];
    if (loss === 'all') return [...options, '--filter=cache', 'file', this.image, 'cache=writeback'];
    const errors = (['reads', 'writes'] as const).flatMap((what) => {
      const name = what === 'reads' ? 'error-pread' : 'error-pwrite';
      return [`${name}=EIO`, `${name}-rate=100%`, `${name}-file=${this.failing(what)}`];
    });
    return [...options, '--filter=error', 'file', this.image, ...errors];
  }

  private async isAttached(): Promise<boolean> {
    const name = this.loop!.replace('/dev/', '');
    const backing = await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '');
    return backing.includes(this.fuse);
  }

  private tearDown(): void {
    this.server?.kill('SIGKILL');
    const commands = [
      ['umount', '--lazy', this.path],
      ['fusermount3', '-uz', this.fuse],
      ...(this.loop === undefined ? [] : [['losetup', '-d', this.loop]]),
    ];
    for (const [program, ...parameters] of commands) {
      try {
        execFileSync(program, parameters, { stdio: 'ignore' });
      } catch {
        // wasn't there
      }
    }
    this.fuseServer?.kill('SIGKILL');
  }
}

const quiet = (program: string, parameters: string[]): ChildProcess =>
  spawn(program, parameters, { stdio: 'ignore' });

async function ended(child: ChildProcess | undefined, by: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill(by);
  await exit;
}

import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { ReadStream } from 'node:tty';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import { loadLibc } from './libc.js';
import type { Port } from './port.js';

/** More than any `struct termios` and any name of a terminal. */
const BUFFER_BYTES = 256;

/**
 * A serial port that isn't there: the device's end of a pseudo-terminal, whose other end has the name `path`. Bytes go
 * through as they are. What nobody reads is lost, as on a wire, when the line is full.
 */
export class PseudoTerminal implements Port {
  /** Bytes for which there was no room. */
  lostBytes = 0;

  private line: ReadStream | undefined;

  private constructor(
    readonly name: string,
    private readonly near: number,
    /** Keeps the line up while nobody has it open. */
    private readonly farEnd: number,
  ) {}

  /** A link that an earlier one has left is replaced. Errors: FLEETLOG_PLATFORM, FLEETLOG_USAGE. */
  static open(path: string): PseudoTerminal {
    const { call, errno } = loadLibc('Pseudo-terminals');
    const grant = call<(fd: number) => number>('int grantpt(int)');
    const unlock = call<(fd: number) => number>('int unlockpt(int)');
    const nameOf = call<(fd: number, name: Buffer, bytes: number) => number>(
      'int ptsname_r(int, _Inout_ uint8_t *, size_t)',
    );
    const getMode = call<(fd: number, mode: Buffer) => number>('int tcgetattr(int, _Inout_ uint8_t *)');
    const makeRaw = call<(mode: Buffer) => void>('void cfmakeraw(_Inout_ uint8_t *)');
    const setMode = call<(fd: number, when: number, mode: Buffer) => number>(
      'int tcsetattr(int, int, const uint8_t *)',
    );
    const near = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
    const name = Buffer.alloc(BUFFER_BYTES);
    if (grant(near) < 0 || unlock(near) < 0 || nameOf(near, name, BUFFER_BYTES) !== 0) {
      throw new FleetlogError('FLEETLOG_PLATFORM', `The kernel gives no pseudo-terminal (errno ${errno()}).`);
    }
    const device = name.toString('latin1', 0, name.indexOf(0));
    const farEnd = openSync(device, constants.O_RDWR | constants.O_NOCTTY);
    const mode = Buffer.alloc(BUFFER_BYTES);
    getMode(farEnd, mode);
    makeRaw(mode);
    setMode(farEnd, 0, mode);
    try {
      link(device, path);
    } catch (error) {
      for (const fd of [near, farEnd]) closeSync(fd);
      throw error;
    }
    return new PseudoTerminal(path, near, farEnd);
  }

  write(bytes: Uint8Array | string): void {
    const all = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    let at = 0;
    try {
      while (at < all.length) at += writeSync(this.near, all, at);
    } catch (error) {
      if (systemCode(error) !== 'EAGAIN') throw error;
      this.lostBytes += all.length - at;
    }
  }

  onInput(listener: (bytes: Uint8Array) => void): void {
    // It only reads: written through it, a full line would hold the whole process up.
    this.line ??= new ReadStream(this.near).on('error', () => undefined);
    this.line.on('data', listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (isOurs(this.name)) unlinkSync(this.name);
    closeSync(this.farEnd);
    if (this.line) this.line.destroy();
    else closeSync(this.near);
    return Promise.resolve();
  }
}

function link(device: string, path: string): void {
  try {
    if (isOurs(path)) unlinkSync(path);
    symlinkSync(device, path);
  } catch (cause) {
    const code = systemCode(cause) ?? 'unknown error';
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `${path} can't be made a serial port (${code}); choose a path that isn't in use.`,
      { cause },
    );
  }
}

/** A link to a pseudo-terminal. */
function isOurs(path: string): boolean {
  const facts = lstatSync(path, { throwIfNoEntry: false });
  return facts?.isSymbolicLink() === true && readlinkSync(path).startsWith('/dev/pts/');
}

import { realpath, stat } from 'node:fs/promises';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import type { SerialPort } from 'serialport';
import { QueuedInput } from '../queued-input.js';
import { makeExclusive } from './exclusive.js';
import { rightsCommand } from './port-rights.js';
import { describeUser, stopCommand, usersOfPorts } from './port-users.js';

export interface SerialSettings {
  /** `/dev/ttyUSB0`, or better a link below `/dev/serial/by-id`, which stays the same when the device is replugged. */
  path: string;
  /** Bits a second. */
  baud: number;
  dataBits: 7 | 8;
  parity: 'none' | 'even' | 'odd';
  stopBits: 1 | 2;
  rtscts: boolean;
}

type Port = Awaited<ReturnType<typeof SerialPort.binding.open>>;

const READ_BYTES = 64 * 1024;
/**
 * Bytes are given time to gather, since each read costs as much as a kilobyte; but no more than fits into the 4 KB that
 * the kernel keeps. A line on which bytes come all the time is given more of it.
 */
const GATHER_MS_MAX = 25;
const STEADY_MS_MAX = 50;
const STEADY_BYTES = 256;
const GATHER_BYTES = 1500;
const BITS_PER_BYTE = 10;
const BUSY_BYTES = 2048;

/** An open serial line, read in the background. */
export class SerialInput extends QueuedInput {
  private readonly closing = new AbortController();
  private readonly reading: Promise<void>;

  private constructor(
    private readonly port: Port,
    private readonly path: string,
    /** In which a full line brings `GATHER_BYTES`. */
    private readonly fullMs: number,
    clock: Clock,
  ) {
    super(clock);
    this.reading = this.pump();
  }

  /** Errors: FLEETLOG_SOURCE with a sentence that says what to do. */
  static async open(settings: SerialSettings, clock: Clock): Promise<SerialInput> {
    const { path, baud, ...framing } = settings;
    let port: Port;
    try {
      // Loaded where it is needed: it takes memory.
      const { SerialPort: library } = await import('serialport');
      port = await library.binding.open({ path, baudRate: baud, ...framing, lock: true });
    } catch (cause) {
      throw await openError(path, baud, cause);
    }
    const { fd } = port as Port & { fd?: number | null };
    if (typeof fd === 'number') makeExclusive(fd);
    const fullMs = (GATHER_BYTES * BITS_PER_BYTE * 1000) / baud;
    return new SerialInput(port, path, fullMs, clock);
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.port.write(Buffer.from(bytes));
  }

  async close(): Promise<void> {
    this.closing.abort();
    // A port whose device is gone may refuse even that.
    if (this.port.isOpen) await this.port.close().catch(() => undefined);
    await this.reading;
  }

  /** How long the next bytes may gather, where `bytes` came within `tookUs`. */
  private gatherMs(bytes: number, tookUs: number): number {
    if (bytes < STEADY_BYTES) return Math.min(GATHER_MS_MAX, this.fullMs);
    return Math.min(STEADY_MS_MAX, Math.max(this.fullMs, (GATHER_BYTES * tookUs) / 1000 / bytes));
  }

  private async pump(): Promise<void> {
    const { port, clock, closing } = this;
    const buffer = Buffer.alloc(READ_BYTES);
    let lastUs = clock.monotonicUs();
    try {
      while (!closing.signal.aborted) {
        const { bytesRead } = await port.read(buffer, 0, READ_BYTES);
        this.push(new Uint8Array(buffer.subarray(0, bytesRead)));
        await this.room(closing.signal);
        const nowUs = clock.monotonicUs();
        if (bytesRead < BUSY_BYTES)
          await clock.sleep(this.gatherMs(bytesRead, nowUs - lastUs), closing.signal);
        lastUs = nowUs;
      }
    } catch (cause) {
      if (closing.signal.aborted) return;
      this.fail(
        new FleetlogError(
          'FLEETLOG_SOURCE',
          `The serial port ${this.path} was lost (${systemCode(cause) ?? (cause as Error).message}); it is opened again as soon as it is back.`,
          { cause },
        ),
      );
    }
  }
}

async function openError(path: string, baud: number, cause: unknown): Promise<FleetlogError> {
  return new FleetlogError('FLEETLOG_SOURCE', await openSentence(path, baud, (cause as Error).message), {
    cause,
  });
}

async function openSentence(path: string, baud: number, text: string): Promise<string> {
  if (/no such file|ENOENT/i.test(text)) {
    return `There is no serial port ${path}; plug the device in, or look for its name with ls -l /dev/serial/by-id.`;
  }
  if (/permission denied|EACCES/i.test(text)) {
    return `This user may not open ${path}; add it to the group that owns the port (${await rightsCommand(path)}), then log in again.`;
  }
  if (/lock|temporarily unavailable|resource busy|EBUSY/i.test(text)) return inUse(path);
  if (/baud/i.test(text)) return `${path} can't do ${baud} baud; take a rate that adapter and sensor know.`;
  return `${path} can't be opened as a serial port: ${text.replace(/^Error:? */, '')}.`;
}

async function inUse(path: string): Promise<string> {
  const device = await realpath(path).catch(() => path);
  const users = (await usersOfPorts(new Set([device]))).get(device) ?? [];
  // A port can have several names, and what a link leads to changes when devices are plugged in.
  if (users.some(({ pid }) => pid === process.pid)) {
    return `Another stream of this gateway reads ${device}, which is what ${path} leads to; remove one of them.`;
  }
  const [user] = users;
  if (!user) return `Another program uses ${path}; stop that one (find it with sudo fuser -v ${path}).`;
  return `Another program uses ${path}: ${describeUser(user)}; stop that one (${stopCommand(user)}).`;
}

/** What a path leads to, followed through links; undefined where it leads nowhere. */
export async function deviceAt(path: string): Promise<string | undefined> {
  try {
    const { rdev, ino, dev } = await stat(path);
    return `${rdev}:${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

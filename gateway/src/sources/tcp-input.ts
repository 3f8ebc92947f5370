import { connect, type Socket } from 'node:net';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import { QueuedInput } from './queued-input.js';

const CONNECT_MS = 5000;
/** A peer that vanished is noticed after so much silence of the network. */
const KEEP_ALIVE_MS = 10_000;

/** A TCP connection to a program that has something to say. */
export class TcpInput extends QueuedInput {
  private readonly closing = new AbortController();

  private constructor(
    private readonly socket: Socket,
    place: string,
    clock: Clock,
  ) {
    super(clock);
    socket.on('data', (bytes: Buffer) => void this.take(bytes));
    const lose = (why: string): void => {
      this.fail(
        new FleetlogError('FLEETLOG_SOURCE', `${place} closed the connection (${why}); it is called again.`),
      );
    };
    socket.on('error', (error) => lose(systemCode(error) ?? error.message));
    socket.on('close', () => lose('ended'));
  }

  /** `help` says what to do where nobody answers. Errors: FLEETLOG_SOURCE. */
  static async open(
    { host, port, help }: { host: string; port: number; help: string },
    clock: Clock,
    signal: AbortSignal,
  ): Promise<TcpInput> {
    const place = `${host}:${port}`;
    const socket = connect({ host, port, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
    try {
      await new Promise<void>((resolve, reject) => {
        const limit = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]);
        limit.addEventListener('abort', () => reject(limit.reason as Error), { once: true });
        socket.once('connect', resolve);
        socket.once('error', reject);
      });
    } catch (cause) {
      socket.destroy();
      throw new FleetlogError(
        'FLEETLOG_SOURCE',
        `Nobody answers at ${place} (${systemCode(cause) ?? 'no answer'}); ${help}.`,
        {
          cause,
        },
      );
    }
    return new TcpInput(socket, place, clock);
  }

  async write(bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.socket.destroy();
    await Promise.resolve();
  }

  private async take(bytes: Buffer): Promise<void> {
    this.push(new Uint8Array(bytes));
    this.socket.pause();
    await this.room(this.closing.signal).catch(() => undefined);
    this.socket.resume();
  }
}

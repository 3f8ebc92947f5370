import type { FleetlogError } from '@fleetlog/shared/errors';
import { Signal, type Clock } from '@fleetlog/shared/util';
import { waitForNews, type TwoWayInput } from './live-input.js';

/** Bytes that wait here while the buffer has no room; then they wait in the kernel, which drops what is too much. */
const WAITING_BYTES_MAX = 1024 * 1024;

/** A line whose bytes are read in the background and wait here for who takes them. */
export abstract class QueuedInput implements TwoWayInput {
  arrivalUs = 0;
  /** Monotonic time at which the last bytes came; that of the opening before. */
  heardUs: number;
  /** Why the line was lost, if it was. */
  failure: FleetlogError | undefined;
  private readonly waiting: { bytes: Uint8Array; arrivalUs: number }[] = [];
  private waitingBytes = 0;
  private readonly news = new Signal();
  private readonly taken = new Signal();

  constructor(protected readonly clock: Clock) {
    this.heardUs = clock.monotonicUs();
  }

  abstract write(bytes: Uint8Array): Promise<void>;
  abstract close(): Promise<void>;

  get ended(): boolean {
    return this.failure !== undefined && this.waiting.length === 0;
  }

  read(): Uint8Array | null {
    const next = this.waiting.shift();
    if (!next) return null;
    this.waitingBytes -= next.bytes.length;
    this.arrivalUs = next.arrivalUs;
    this.taken.set();
    return next.bytes;
  }

  async more(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.waiting.length === 0 && !this.failure) {
      await waitForNews(this.news, this.clock, timeoutMs, signal);
    }
  }

  /** The line is lost: it ends as soon as what came is read. */
  fail(failure: FleetlogError): void {
    this.failure ??= failure;
    this.news.set();
  }

  /** Bytes came. */
  protected push(bytes: Uint8Array): void {
    this.heardUs = this.clock.monotonicUs();
    this.waiting.push({ bytes, arrivalUs: this.heardUs });
    this.waitingBytes += bytes.length;
    this.news.set();
  }

  /** Resolves when there is room for more. */
  protected async room(signal: AbortSignal): Promise<void> {
    while (this.waitingBytes > WAITING_BYTES_MAX) await this.taken.wait(signal);
  }
}

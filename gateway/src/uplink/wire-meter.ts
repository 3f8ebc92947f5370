import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';

/** Bytes of one month (UTC) on the wire: what the sockets wrote and read, TLS and MQTT included, IP's heads not. */
export interface MonthBytes {
  /** `2026-11` */
  month: string;
  sent: number;
  received: number;
}

/** Written at the latest after so many bytes, or so long: what a crash may leave uncounted. */
const unsavedBytesMax = 1024 * 1024;
const unsavedMsMax = 60_000;

/**
 * Counts what the uplink costs, over restarts. A wall clock that steps back doesn't begin an old month again: one that
 * isn't set yet is in 1970.
 */
export class WireMeter {
  private unsavedBytes = 0;
  private savedMs: number;
  private saving: Promise<void> | undefined;

  private constructor(
    private readonly path: string,
    private counted: MonthBytes,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    this.savedMs = this.nowMs();
  }

  /** Reads what was counted before. A file that makes no sense begins the month anew, with a warning. */
  static load(path: string, clock: Clock, logger: Logger): WireMeter {
    let counted: MonthBytes = { month: '', sent: 0, received: 0 };
    try {
      counted = readMonth(readFileSync(path, 'utf8'));
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') {
        logger.warn(
          { path, error: String(error) },
          "The month's traffic so far can't be read; counting anew.",
        );
      }
    }
    return new WireMeter(path, counted, clock, logger);
  }

  get month(): MonthBytes {
    this.turnMonth();
    return { ...this.counted };
  }

  add(sent: number, received: number): void {
    this.turnMonth();
    this.counted.sent += sent;
    this.counted.received += received;
    this.unsavedBytes += sent + received;
    const isDue = this.unsavedBytes >= unsavedBytesMax || this.nowMs() - this.savedMs >= unsavedMsMax;
    if (isDue && this.unsavedBytes > 0) void this.save();
  }

  /** Resolves when what is counted is in the file, or can't be written, which is logged. */
  save(): Promise<void> {
    this.saving ??= this.write().finally(() => (this.saving = undefined));
    return this.saving;
  }

  private async write(): Promise<void> {
    this.unsavedBytes = 0;
    this.savedMs = this.nowMs();
    try {
      await mkdir(dirname(this.path), { recursive: true });
      await writeFile(`${this.path}.new`, JSON.stringify(this.month), { flush: true });
      await rename(`${this.path}.new`, this.path);
    } catch (error) {
      this.logger.warn({ path: this.path, error: String(error) }, "The month's traffic can't be written.");
    }
  }

  private turnMonth(): void {
    const month = new Date(this.clock.nowUs() / 1000).toISOString().slice(0, 7);
    if (month > this.counted.month) this.counted = { month, sent: 0, received: 0 };
  }

  private nowMs(): number {
    return this.clock.monotonicUs() / 1000;
  }
}

function readMonth(text: string): MonthBytes {
  const { month, sent, received } = JSON.parse(text) as Record<string, unknown>;
  if (typeof month === 'string' && isCount(sent) && isCount(received)) return { month, sent, received };
  throw new Error('not what the meter writes');
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

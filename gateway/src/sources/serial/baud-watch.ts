import type { Logger } from '@fleetlog/shared/log';

/** Bytes that a judgement is made on. */
const WINDOW_BYTES = 1024;

/** Looks whether what comes is what was expected: at a wrong baud rate most bytes are others. Says so once. */
export class BaudWatch {
  private bytes = 0;
  private strange = 0;
  private isTold = false;

  constructor(
    private readonly place: string,
    private readonly baud: number,
    /** What was expected: `text`. */
    private readonly expected: string,
    private readonly logger: Logger,
  ) {}

  /** So many bytes came, and so many of them weren't what was expected. */
  see(bytes: number, strange: number): void {
    if (this.isTold) return;
    this.bytes += bytes;
    this.strange += strange;
    if (this.bytes < WINDOW_BYTES) return;
    if (3 * this.strange > this.bytes) {
      this.isTold = true;
      this.logger.warn(
        { baud: this.baud },
        `More than a third of what comes from ${this.place} is no ${this.expected}; ${this.baud} may be the wrong baud rate (fleetlog-gateway doctor tries others: 4800, 9600, 38400, 115200).`,
      );
    }
    this.bytes = 0;
    this.strange = 0;
  }
}

/** How many bytes are neither printable ASCII, tab nor line ends. */
export function strangeInText(chunk: Uint8Array): number {
  let strange = 0;
  for (const byte of chunk) if (!((byte >= 32 && byte < 127) || (byte >= 9 && byte <= 13))) strange++;
  return strange;
}

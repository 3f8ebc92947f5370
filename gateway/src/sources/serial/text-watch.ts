import type { Logger } from '@fleetlog/shared/log';

/** Bytes that a judgement is made on. */
const WINDOW_BYTES = 1024;

/** Looks whether what should be text is text: at a wrong baud rate most bytes are others. Says so once. */
export class TextWatch {
  private bytes = 0;
  private strange = 0;
  private isTold = false;

  constructor(
    private readonly place: string,
    private readonly baud: number,
    private readonly logger: Logger,
  ) {}

  see(chunk: Uint8Array): void {
    if (this.isTold) return;
    for (const byte of chunk) if (!isText(byte)) this.strange++;
    this.bytes += chunk.length;
    if (this.bytes < WINDOW_BYTES) return;
    if (3 * this.strange > this.bytes) {
      this.isTold = true;
      this.logger.warn(
        { baud: this.baud },
        `More than a third of what comes from ${this.place} is no text; ${this.baud} may be the wrong baud rate (try 4800, 9600, 38400, 115200).`,
      );
    }
    this.bytes = 0;
    this.strange = 0;
  }
}

/** Printable ASCII, tab and line ends. */
const isText = (byte: number): boolean => (byte >= 32 && byte < 127) || (byte >= 9 && byte <= 13);

import { bytes } from './fleetlog-table.js';

const terminalEveryMs = 200;
const logEveryMs = 10_000;

/** How far a transfer is, on stderr: on a terminal, or where it is asked for. */
export class Progress {
  bytes = 0;
  private readonly startedMs = performance.now();
  private shownMs = -Infinity;
  private isShown = false;

  constructor(
    private readonly stderr: NodeJS.WriteStream,
    private readonly isWanted = stderr.isTTY,
  ) {}

  get seconds(): number {
    return (performance.now() - this.startedMs) / 1000;
  }

  add(length: number): void {
    this.bytes += length;
    if (!this.isWanted) return;
    const nowMs = performance.now();
    if (nowMs - this.shownMs < (this.stderr.isTTY ? terminalEveryMs : logEveryMs)) return;
    this.shownMs = nowMs;
    this.show();
  }

  /** The last word, where there were any. */
  end(): void {
    if (!this.isShown) return;
    this.show();
    if (this.stderr.isTTY) this.stderr.write('\n');
  }

  private show(): void {
    this.isShown = true;
    const text = `${bytes(this.bytes)} in ${this.seconds.toFixed(1)} s (${bytes(Math.round(this.bytes / this.seconds))}/s)`;
    this.stderr.write(this.stderr.isTTY ? `\r\x1b[K${text}` : `fleetlog: ${text}\n`);
  }
}

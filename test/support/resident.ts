import { readFileSync } from 'node:fs';

function fieldBytes(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
}

/** What a process takes of the machine's memory, and the most that it took since it started. */
export const residentBytes = (pid: number): number => fieldBytes(pid, 'VmRSS');
export const residentBytesPeak = (pid: number): number => fieldBytes(pid, 'VmHWM');
/** Of that what is its own; the rest is parts of files, such as Node's program, that the system may share or drop. */
export const anonymousBytes = (pid: number): number => fieldBytes(pid, 'RssAnon');

const sampleMs = 100;

/**
 * Notes the most that a process takes of its own memory, until it ends or this is disposed of: the kernel keeps no peak
 * of that.
 */
export class AnonymousPeak implements Disposable {
  bytes = 0;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly pid: number) {
    this.timer = setInterval(() => this.sample(), sampleMs);
  }

  private sample(): void {
    try {
      this.bytes = Math.max(this.bytes, anonymousBytes(this.pid));
    } catch {
      clearInterval(this.timer); // it has ended
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer);
  }
}

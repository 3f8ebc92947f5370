import { readFileSync } from 'node:fs';

const field = (pid: number, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) *
  1024;

/** What a process takes of the machine's memory, and the most that it took since it started. */
export const residentBytes = (pid: number): number => field(pid, 'VmRSS');
export const residentBytesPeak = (pid: number): number => field(pid, 'VmHWM');

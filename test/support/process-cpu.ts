import { readFileSync } from 'node:fs';

/** /proc/PID/stat counts in these. */
const TICK_MS = 10;

/** What a process has taken of the processors so far, kernel included, ms. */
export function cpuMsOf(pid: number): number {
  // The second field is the command's name, which may hold spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

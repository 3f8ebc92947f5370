import { createInterface } from 'node:readline';

/*
 * Outlives the demo to end its processes where the demo can't do that itself, because it was killed with -9. A line
 * "+PID" on stdin names a process to look after, "-PID" one that has ended; the end of stdin is the end of the demo.
 */
const GRACE_MS = 5000;

const pids = new Set<number>();
for await (const line of createInterface({ input: process.stdin })) {
  const pid = Number(line.slice(1));
  if (line.startsWith('+')) pids.add(pid);
  else pids.delete(pid);
}
signal('SIGTERM');
if (pids.size > 0) setTimeout(() => signal('SIGKILL'), GRACE_MS);

function signal(name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      pids.delete(pid); // it is gone
    }
  }
}

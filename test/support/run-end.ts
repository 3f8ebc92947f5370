import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Long enough for what closes by itself; what stays longer would keep the run from ending. */
const graceMs = 20_000;

/** The processes below this one, its grandchildren too. Where there is no /proc, none. */
function descendants(): number[] {
  if (!existsSync('/proc')) return [];
  const childrenOf = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    try {
      const [, parent] = /\) \S (\d+) /.exec(readFileSync(`/proc/${name}/stat`, 'latin1')) ?? [];
      childrenOf.set(Number(parent), [...(childrenOf.get(Number(parent)) ?? []), Number(name)]);
    } catch {
      // It has ended.
    }
  }
  const below = (pid: number): number[] =>
    (childrenOf.get(pid) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(process.pid);
}

/** A test that ran out of time leaves what it started, which must not keep the whole run from coming to its end. */
export function mochaGlobalTeardown(): void {
  const timer = setTimeout(() => {
    const left = descendants();
    console.error(`left behind: ${process.getActiveResourcesInfo().join(' ')}; processes ${left.join(' ')}`);
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
    process.exit(1);
  }, graceMs);
  timer.unref();
}

import { execFileSync, spawnSync } from 'node:child_process';

/** A Python that has what a test wants may be another one than the system's. */
const python = process.env['FLEETLOG_TEST_PYTHON'] ?? 'python3';

/** A message as python-can reads it. */
export interface PythonMessage {
  timeUs: number;
  channel: number;
  type: 'data' | 'remote' | 'fd' | 'error';
  id: number;
  extended: boolean;
  brs: boolean;
  esi: boolean;
  rx: boolean;
  dlc: number;
  data: string;
}

/** Undefined where Python or the library is missing; else its version, `[4, 6]`. */
export function pythonCanVersion(): number[] | undefined {
  const asked = spawnSync(python, ['-c', 'import can; print(can.__version__)'], { encoding: 'utf8' });
  return asked.status === 0 ? asked.stdout.trim().split('.').slice(0, 2).map(Number) : undefined;
}

/** Dates in `asc` have no time zone: python-can takes them for local time. */
export function readWithPythonCan(path: string): PythonMessage[] {
  const text = execFileSync(python, ['test/support/read_with_python_can.py', path], {
    env: { ...process.env, TZ: 'UTC' },
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [timeUs, channel, type, id, extended, brs, esi, rx, dlc, data] = JSON.parse(line) as never[];
      return { timeUs, channel, type, id, extended, brs, esi, rx, dlc, data };
    });
}

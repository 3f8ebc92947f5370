import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

export interface Ended {
  status: number | null;
  stdout: Buffer;
  stderr: string;
}

/** Starts a command of the product as its user does, in a process of its own; `bin` is relative to the repository. */
export function start(
  bin: string,
  parameters: readonly string[],
  env: Record<string, string> = {},
): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [resolve(bin), ...parameters], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: 'pipe',
  });
}

/** Collects output until the process has ended. */
export async function ended(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  const stdout: Uint8Array[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Uint8Array) => stdout.push(chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout: Buffer.concat(stdout), stderr };
}

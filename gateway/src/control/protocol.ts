import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/*
 * How a second process asks a running gateway, whose buffer only one process may open: one JSON object and a line end
 * each way, over a local socket.
 *
 *   request  = { "request": "status" | "buffer" | "ids" }
 *   response = { "result": … } | { "error": "sentence" }
 */
export type ControlRequest = 'status' | 'buffer' | 'ids';

export const requestBytesMax = 4096;
export const responseBytesMax = 16 * 1024 * 1024;

/** The kernel's `sun_path` holds 108 bytes, one of them the end; macOS has 104. */
const socketPathBytesMax = 100;

/** Where the gateway of a data folder listens: in the folder, or, where its path is too long for a socket, in /tmp. */
export function controlSocketPath(dataFolder: string): string {
  const folder = resolve(dataFolder);
  const path = join(folder, 'control.sock');
  if (Buffer.byteLength(path) <= socketPathBytesMax) return path;
  return join(tmpdir(), `fleetlog-${createHash('sha256').update(folder).digest('hex').slice(0, 16)}.sock`);
}

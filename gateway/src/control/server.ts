import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from '@fleetlog/shared/log';
import { requestBytesMax, type ControlRequest } from './protocol.js';

export type ControlHandlers = Record<ControlRequest, () => unknown>;

const connectionsMax = 8;
const idleMsMax = 5000;

/**
 * Answers other processes of this machine and user until disposed. A gateway that can't listen still works: that is
 * logged, and only `status` and `buffer inspect` have to wait for its end. Call it with the buffer open: its lock makes
 * sure that a socket found here is a dead one's.
 */
export async function serveControl(
  path: string,
  handlers: ControlHandlers,
  logger: Logger,
): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    answer(socket, handlers);
  });
  server.maxConnections = connectionsMax;
  try {
    await rm(path, { force: true });
    await listen(server, path);
    await chmod(path, 0o600);
  } catch (error) {
    logger.warn({ path, error: String(error) }, "The gateway can't be asked for its status.");
    return { [Symbol.asyncDispose]: async () => undefined };
  }
  return {
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function answer(socket: Socket, handlers: ControlHandlers): void {
  let text = '';
  socket.setEncoding('utf8');
  socket.setTimeout(idleMsMax, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: string) => {
    text += chunk;
    if (text.length > requestBytesMax) socket.destroy();
    else if (text.includes('\n')) void respond(socket, text, handlers);
  });
}

async function respond(socket: Socket, text: string, handlers: ControlHandlers): Promise<void> {
  socket.removeAllListeners('data');
  let response: object;
  try {
    const { request } = JSON.parse(text) as { request: ControlRequest };
    if (!Object.hasOwn(handlers, request))
      throw new Error(`This gateway doesn't know the request "${request}".`);
    response = { result: await handlers[request]() };
  } catch (error) {
    response = { error: error instanceof Error ? error.message : String(error) };
  }
  socket.end(`${JSON.stringify(response)}\n`);
}

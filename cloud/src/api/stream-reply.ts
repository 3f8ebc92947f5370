import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';

export interface StreamReplyOptions {
  chunks: AsyncGenerator<Uint8Array>;
  contentType: string;
  /** True: the head goes out at once; false: with the first chunk, so that an early error is still a plain answer. */
  headFirst: boolean;
  /** A client that takes nothing for so long is dropped. */
  idleMs: number;
  logger: Logger;
  /** Aborted when the client is gone. */
  clientGone: AbortController;
  /** Told behind the last chunk, by name; asked for when all chunks are out. */
  trailers?: { names: readonly string[]; values: () => Record<string, string> } | undefined;
}

/**
 * Sends chunks as the client takes them. An error after the head destroys the connection: without the last chunk's
 * mark the client knows that the answer isn't whole. Errors before the head: those of `chunks`.
 */
export async function sendStream(reply: FastifyReply, options: StreamReplyOptions): Promise<void> {
  const { chunks, contentType, headFirst, idleMs, logger, clientGone, trailers } = options;
  const raw = reply.raw;
  const gone = (): void => clientGone.abort(new FleetlogError('FLEETLOG_INTERRUPTED', 'The client is gone.'));
  raw.on('close', gone);
  if (raw.destroyed) gone(); // while the answer was prepared
  try {
    let piece = headFirst
      ? undefined
      : await chunks.next().catch((error: unknown) => {
          if (!clientGone.signal.aborted) throw error;
          return undefined; // nobody is there to be told
        });
    reply.hijack();
    raw.writeHead(200, {
      ...headersOf(reply),
      'content-type': contentType,
      'cache-control': 'no-store',
      ...(trailers && { trailer: trailers.names.join(', ') }),
    });
    if (headFirst) raw.flushHeaders();
    try {
      piece ??= await chunks.next();
      while (!piece.done) {
        clientGone.signal.throwIfAborted();
        if (!raw.write(piece.value)) await drained(raw, idleMs, clientGone.signal);
        piece = await chunks.next();
      }
      clientGone.signal.throwIfAborted();
      if (trailers) raw.addTrailers(trailers.values());
      raw.end();
    } catch (error) {
      raw.destroy();
      if (!clientGone.signal.aborted) logger.error({ error }, 'an answer was cut off');
    }
  } finally {
    raw.off('close', gone);
    await chunks.return(undefined);
  }
}

/** Headers that hooks have set; hijacking leaves them to us. */
const headersOf = (reply: FastifyReply): Record<string, string> =>
  Object.fromEntries(Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]));

async function drained(raw: ServerResponse, idleMs: number, clientGone: AbortSignal): Promise<void> {
  const idle = new AbortController();
  const timer = setTimeout(
    () => idle.abort(new FleetlogError('FLEETLOG_INTERRUPTED', 'The client took nothing for too long.')),
    idleMs,
  );
  try {
    await once(raw, 'drain', { signal: AbortSignal.any([idle.signal, clientGone]) });
  } catch {
    clientGone.throwIfAborted();
    idle.signal.throwIfAborted();
  } finally {
    clearTimeout(timer);
  }
}

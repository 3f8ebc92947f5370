import type { FastifyInstance } from 'fastify';
import { verify } from '../integrity/verify.js';
import type { ApiContext } from './context.js';
import { ErrorBody, NoQuery } from './schemas.js';
import { Slots } from './slots.js';
import { sendStream } from './stream-reply.js';

/** Whether all that was written can be read, and fits together. */
export function verifyRoutes(app: FastifyInstance, context: ApiContext): void {
  const slots = new Slots('verifications', 1);
  app.get(
    '/v1/verify',
    {
      schema: {
        summary: 'Reads the whole log and checks every batch, the index and the held sequences',
        description: 'NDJSON: `progress`, a `problem` each, and `result` at the end of a whole answer.',
        querystring: NoQuery,
        response: { default: ErrorBody },
      },
    },
    async (_request, reply) => {
      using _slot = slots.take();
      const clientGone = new AbortController();
      await sendStream(reply, {
        chunks: lines(context, clientGone.signal),
        contentType: 'application/x-ndjson',
        headFirst: true,
        idleMs: context.limits.idleMs,
        logger: context.logger,
        clientGone,
      });
    },
  );
}

async function* lines(context: ApiContext, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const event of verify(context, signal)) yield Buffer.from(`${JSON.stringify(event)}\n`);
}

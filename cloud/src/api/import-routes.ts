import type { FastifyInstance } from 'fastify';
import { FleetlogError } from '@fleetlog/shared/errors';
import { checkNames } from '../import/names.js';
import { importBytesMax, unpackBatches } from '../import/wire.js';
import type { ApiContext } from './context.js';
import { ErrorBody, ImportBody, ImportQuery } from './schemas.js';

/** Old recordings into the log. */
export function importRoutes(app: FastifyInstance, { imports, importSlots }: ApiContext): void {
  app.post<{ Querystring: { gateway: string; stream: string }; Body: Buffer | null }>(
    '/v1/import',
    {
      bodyLimit: importBytesMax,
      schema: {
        summary: 'Takes batches into the log as if a gateway had sent them',
        description:
          'The body (application/octet-stream) holds batches of one stream and epoch, each behind its length (32 bits, ' +
          'little-endian). The answer comes when they are durable. What the log holds already is left out, so a request ' +
          'may be repeated.',
        querystring: ImportQuery,
        response: { 200: ImportBody, default: ErrorBody },
      },
    },
    async ({ query: { gateway, stream }, body }) => {
      using _slot = importSlots.take();
      checkNames(gateway, stream);
      if (!Buffer.isBuffer(body)) {
        throw new FleetlogError('FLEETLOG_USAGE', 'The batches must be the body (application/octet-stream).');
      }
      return imports.take(gateway, stream, unpackBatches(body));
    },
  );
}

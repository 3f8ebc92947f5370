import type { FastifyInstance } from 'fastify';
import { FleetlogError } from '@fleetlog/shared/errors';
import { Type } from '@fleetlog/shared/schema';
import type { BackupDesk } from '../backup/desk.js';
import type { OfferedFile } from '../backup/description.js';
import type { ApiContext } from './context.js';
import { ErrorBody, NoQuery } from './schemas.js';
import { Slots } from './slots.js';
import { sendStream } from './stream-reply.js';

export type BackupEvent =
  | ({ event: 'file' } & OfferedFile)
  | { event: 'ready'; log: string; takenUs: number; version: string }
  | { event: 'waiting' };

const FileQuery = Type.Object(
  { path: Type.String({ minLength: 1, description: 'Of a `file` that is offered' }) },
  { additionalProperties: false },
);

/** What `fleetlog-cloud backup` copies. */
export function backupRoutes(app: FastifyInstance, context: ApiContext): void {
  const { limits, logger } = context;
  const slots = new Slots('backups', 1);

  app.get(
    '/v1/backup',
    {
      schema: {
        summary: 'Holds the cloud as it is now for a backup, for as long as the connection stays',
        description:
          'NDJSON: a `file` each, `ready`, then `waiting` until the client has read them and goes.',
        querystring: NoQuery,
        response: { default: ErrorBody },
      },
    },
    async (_request, reply) => {
      using _slot = slots.take();
      const clientGone = new AbortController();
      const { idleMs } = limits;
      const chunks = events(context, deskOf(context), clientGone.signal);
      await sendStream(reply, {
        chunks,
        contentType: 'application/x-ndjson',
        headFirst: false,
        idleMs,
        logger,
        clientGone,
      });
    },
  );

  app.get<{ Querystring: { path: string } }>(
    '/v1/backup/file',
    {
      schema: {
        summary: 'One file of the backup that is held',
        querystring: FileQuery,
        response: { default: ErrorBody },
      },
    },
    async ({ query: { path } }, reply) => {
      const clientGone = new AbortController();
      const { idleMs } = limits;
      const chunks = deskOf(context).read(path);
      const contentType = 'application/octet-stream';
      await sendStream(reply, { chunks, contentType, headFirst: false, idleMs, logger, clientGone });
    },
  );
}

async function* events(
  { clock, version, limits }: ApiContext,
  desk: BackupDesk,
  clientGone: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const line = (event: BackupEvent): Uint8Array => Buffer.from(`${JSON.stringify(event)}\n`);
  await using offer = await desk.offer();
  for (const file of offer.files) yield line({ event: 'file', ...file });
  yield line({ event: 'ready', log: offer.log, takenUs: offer.takenUs, version });
  for (;;) {
    await clock.sleep(limits.heartbeatMs, clientGone);
    yield line({ event: 'waiting' });
  }
}

function deskOf({ backups }: ApiContext): BackupDesk {
  if (backups) return backups;
  throw new FleetlogError('FLEETLOG_NOT_FOUND', 'This cloud offers no backups.');
}

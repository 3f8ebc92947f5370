import type { FastifyInstance } from 'fastify';
import { join } from 'node:path';
import { folderBytes, growthPerDay } from '../storage/usage.js';
import { catchUp, type ApiContext } from './context.js';
import { ErrorBody, NoQuery } from './schemas.js';
import { StorageBody, type Storage } from './storage-schemas.js';

/** What uses how much of the disk. */
export function storageRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get(
    '/v1/storage',
    {
      schema: {
        summary: 'What uses how much of the disk, how fast it grows, and what retention does about it',
        querystring: NoQuery,
        response: { 200: StorageBody, default: ErrorBody },
      },
    },
    async (_request, reply) => {
      await catchUp(context, reply);
      return storage(context);
    },
  );
}

async function storage(context: ApiContext): Promise<Storage> {
  const { log, index, disk, retention, clock } = context;
  const streams: Storage['streams'] = [];
  let batchBytes = 0;
  for await (const { gateway, stream, batches, records, bytes } of index.streams()) {
    const rule = retention.ruleOf(gateway, stream)?.name;
    streams.push({ gateway, stream, batches, records, bytes, ...(rule !== undefined && { rule }) });
    batchBytes += bytes;
  }
  streams.sort((a, b) => b.bytes - a.bytes);
  const logBytes = await log.diskBytes();
  const bytesPerDay = await growthPerDay(context, clock.nowUs());
  const roomBytes = Math.max(0, disk.freeBytes - disk.minFreeBytes);
  const diskPerByte = Math.max(1, logBytes / Math.max(1, batchBytes));
  const { batches: trimmedBatches, bytes: trimmedBytes } = retention.trimmed;
  return {
    disk: {
      freeBytes: disk.freeBytes,
      totalBytes: disk.totalBytes,
      minFreeBytes: disk.minFreeBytes,
      ingestPaused: disk.isFull,
    },
    uses: {
      logBytes,
      batchBytes,
      indexBytes: await index.diskBytes(),
      rollupsBytes: await folderBytes(join(disk.folder, 'rollups')),
      columnsBytes: await folderBytes(join(disk.folder, 'columns')),
      catalogueBytes: await folderBytes(join(disk.folder, 'catalogue')),
    },
    ...(bytesPerDay !== undefined && {
      growth: {
        bytesPerDay: Math.round(bytesPerDay),
        ...(bytesPerDay > 0 && { fullAfterDays: roomBytes / diskPerByte / bytesPerDay }),
      },
    }),
    retention: { trimmedBatches, trimmedBytes },
    streams,
  };
}

import { Type, type Static } from '@fleetlog/shared/schema';

const Count = Type.Integer({ minimum: 0 });

export const StorageBody = Type.Object({
  disk: Type.Object({
    freeBytes: Count,
    totalBytes: Count,
    minFreeBytes: Count,
    ingestPaused: Type.Boolean(),
  }),
  uses: Type.Object({
    logBytes: Type.Integer({
      description: 'Of the log on disk, what is trimmed and not given back included.',
    }),
    batchBytes: Type.Integer({ description: 'Of the batches in it.' }),
    indexBytes: Count,
    rollupsBytes: Count,
    columnsBytes: Count,
    catalogueBytes: Type.Integer({ description: 'Of the databases (DBC) and assignments.' }),
  }),
  growth: Type.Optional(
    Type.Object(
      {
        bytesPerDay: Type.Integer({ description: 'Of batches, by what came in the last day, about.' }),
        fullAfterDays: Type.Optional(
          Type.Number({ description: 'Until nothing is taken any more, if retention lets nothing go.' }),
        ),
      },
      { description: 'Absent in the first hour of a log.' },
    ),
  ),
  retention: Type.Object({ trimmedBatches: Count, trimmedBytes: Count }),
  streams: Type.Array(
    Type.Object({
      gateway: Type.String(),
      stream: Type.String(),
      batches: Count,
      records: Count,
      bytes: Count,
      rule: Type.Optional(Type.String({ description: 'Of retention, as gateway/stream.' })),
    }),
    { description: 'The largest first.' },
  ),
});

export type Storage = Static<typeof StorageBody>;

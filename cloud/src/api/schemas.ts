import { Type, type Static } from '@fleetlog/shared/schema';
import { clockStates, origins } from '@fleetlog/shared/batch';
import { formats } from '../export/formats.js';
import { timesNames } from '../time/correction.js';
import { tailFormats } from './tail-format.js';

/*
 * What the API takes and gives; the OpenAPI document is made of these. Times that go out are ISO 8601 in UTC with µs.
 */
const Name = (description: string) => Type.String({ minLength: 1, maxLength: 63, description });
const Moment = (description: string) => Type.String({ minLength: 1, maxLength: 64, description });
const choice = (names: readonly string[], description: string) =>
  Type.String({ enum: [...names], description });
const Time = Type.String({ format: 'date-time' });
const Count = Type.Integer({ minimum: 0 });
const times = 'ISO 8601 (UTC where no zone is given), Unix seconds with decimals, -15m, now.';

const Times = () =>
  choice(timesNames, "Event times as the gateway's clock is known now (where not given), or as stamped.");

export const NoQuery = Type.Object({}, { additionalProperties: false });

export const GatewayQuery = Type.Object(
  { gateway: Type.Optional(Name('Only this gateway.')) },
  { additionalProperties: false },
);

export const StreamQuery = Type.Object(
  { gateway: Type.Optional(Name('Only this gateway.')), stream: Type.Optional(Name('Only this stream.')) },
  { additionalProperties: false },
);

export const ExportQuery = Type.Object(
  {
    gateway: Type.Array(Name('Gateway.'), { minItems: 1, maxItems: 256, description: 'One or more.' }),
    stream: Type.Optional(
      Type.Array(Name('Stream.'), {
        minItems: 1,
        maxItems: 256,
        description: 'One or more, each on each gateway; all that the format takes where not given.',
      }),
    ),
    from: Type.Optional(Moment(`First event time, inclusive. ${times}`)),
    to: Type.Optional(Moment('Last event time, exclusive.')),
    format: Type.Optional(
      choice(
        Object.keys(formats),
        'Must fit the kind of the stream; candump, lines or ndjson by kind where not given.',
      ),
    ),
    times: Type.Optional(Times()),
    signal: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 1024 }), {
        minItems: 1,
        maxItems: 256,
        description:
          'Values of these signals instead of records, with parquet and mcap; with mcap beside them where streams are named, or records is true.',
      }),
    ),
    records: Type.Optional(
      Type.Boolean({ description: 'With signals: the records of all streams as well, as mcap.' }),
    ),
    skip: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'Bytes of the answer that came before: it goes on behind them.',
      }),
    ),
    skipCrc: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffff_ffff, description: 'Their CRC-32.' })),
  },
  { additionalProperties: false },
);

export const ImportQuery = Type.Object(
  { gateway: Name('Gateway.'), stream: Name('Stream.') },
  { additionalProperties: false },
);

export const ImportBody = Type.Object({
  added: Type.Integer({ minimum: 0, description: 'Batches that are in the log now.' }),
  known: Type.Integer({ minimum: 0, description: 'Batches that were in the log before.' }),
});

export const TailQuery = Type.Object(
  {
    gateway: Type.Optional(Name('Only this gateway.')),
    stream: Type.Optional(Name('Only this stream.')),
    from: Type.Optional(
      Moment(`Begin with what the cloud received at or after this. ${times} Without it: now.`),
    ),
    format: Type.Optional(choice(tailFormats, 'ndjson where not given.')),
    times: Type.Optional(Times()),
  },
  { additionalProperties: false },
);

export const ErrorBody = Type.Object({
  code: Type.String({ description: 'Stable: FLEETLOG_…' }),
  message: Type.String({ description: 'For people; says what to do.' }),
});

export const GatewaysBody = Type.Object({
  gateways: Type.Array(
    Type.Object({
      gateway: Type.String(),
      connected: Type.Boolean(),
      lastSeen: Type.Optional(Time),
      epoch: Type.Optional(Type.String()),
      version: Type.Optional(Type.String()),
      streams: Count,
      batches: Count,
      records: Count,
      bytes: Count,
      pendingBatches: Count,
      bufferBytes: Count,
      firstTime: Type.Optional(Time),
      lastTime: Type.Optional(Time),
    }),
  ),
});

export const StreamsBody = Type.Object({
  streams: Type.Array(
    Type.Object({
      gateway: Type.String(),
      stream: Type.String(),
      kind: Type.String(),
      origin: Type.Optional(
        choice([...origins, 'mixed'], 'Where the records come from: what was simulated says so.'),
      ),
      firstTime: Type.Optional(Time),
      lastTime: Type.Optional(Time),
      clock: Type.Optional(
        choice(clockStates, 'The worst of the boots whose clock has stamped records; absent for recordings.'),
      ),
      batches: Count,
      records: Count,
      bytes: Count,
      bytesPerRecord: Type.Optional(Type.Number()),
      pendingBatches: Count,
      lastReceiveTime: Type.Optional(Time),
      secondsSinceReceive: Type.Optional(Type.Number()),
    }),
  ),
});

export const ClocksBody = Type.Object({
  boots: Type.Array(
    Type.Object({
      gateway: Type.String(),
      boot: Type.String(),
      clock: Type.String({ enum: [...clockStates], description: 'The best that was ever said of it.' }),
      source: Type.String({ description: 'Who said so.' }),
      firstTime: Time,
      lastTime: Time,
      batches: Count,
      records: Count,
      correctionUs: Type.Integer({ description: 'Added to the time of its first record.' }),
      uncertaintyUs: Type.Integer({ minimum: -1, description: 'At its end; -1 where nobody knows.' }),
      points: Type.Integer({ minimum: 0, description: 'Statements that the corrections are made of.' }),
    }),
  ),
});

const sums = Type.Object({ explained: Count, pending: Count, trimmed: Count, missing: Count });

export const GapsBody = Type.Object({
  gaps: Type.Array(
    Type.Object({
      gateway: Type.String(),
      stream: Type.String(),
      epoch: Type.String(),
      first: Count,
      last: Count,
      state: Type.String({ enum: ['explained', 'pending', 'trimmed', 'missing'] }),
      cause: Type.Optional(Type.String()),
      detail: Type.Optional(Type.String()),
      records: Type.Optional(Type.Integer({ minimum: -1, description: '-1 where nobody knows.' })),
      firstTime: Type.Optional(Time),
      lastTime: Type.Optional(Time),
    }),
  ),
  truncated: Type.Boolean({ description: 'There are more rows than are listed; the sums count all.' }),
  streams: Count,
  heldBatches: Count,
  batches: sums,
  thinnedBatches: Type.Integer({
    minimum: 0,
    description: 'Of the batches held, those from which the gateway took records out (cause `thinned`).',
  }),
});

export const StatusBody = Type.Object({
  version: Type.String(),
  uptimeSeconds: Type.Number(),
  rssBytes: Count,
  gateways: Type.Object({ known: Count, connected: Count }),
  ingest: Type.Object({
    batches: Count,
    records: Count,
    bytes: Count,
    duplicates: Count,
    putOff: Count,
    refused: Type.Record(Type.String(), Count),
  }),
  log: Type.Object({
    bytes: Count,
    batches: Count,
    partitions: Type.Array(Type.Object({ partition: Count, first: Count, next: Count })),
  }),
  index: Type.Object({ lagBatches: Count, skippedBatches: Count, bytes: Count }),
  disk: Type.Object({
    freeBytes: Count,
    minFreeBytes: Count,
    ingestPaused: Type.Boolean({ description: 'Nothing is acknowledged while less than the floor is free.' }),
  }),
  running: Type.Object({ exports: Count, tails: Count }),
});

export const HealthBody = Type.Object({ status: Type.Literal('ok') });

export type Gateways = Static<typeof GatewaysBody>;
export type Streams = Static<typeof StreamsBody>;
export type Clocks = Static<typeof ClocksBody>;
export type Gaps = Static<typeof GapsBody>;
export type Status = Static<typeof StatusBody>;

import { Type, type Static } from '@fleetlog/shared/schema';

/* What the routes of databases, assignments and vehicles take and give. */
const Count = Type.Integer({ minimum: 0 });
const Time = Type.String({ format: 'date-time' });
const closed = { additionalProperties: false };
const Gateway = Type.String({ minLength: 1, maxLength: 63, description: 'Gateway.' });
const Stream = Type.String({ minLength: 1, maxLength: 63, description: 'Stream.' });
const DatabaseName = Type.String({ minLength: 1, maxLength: 80, description: 'Name of a database.' });
const Vehicle = Type.String({ minLength: 1, maxLength: 80, description: 'Vehicle.' });
const Version = Type.String({
  pattern: '^[0-9a-f]{4,64}$',
  description: "First digits of the SHA-256 of a database's content; the current content where not given.",
});
const from = Type.Optional(
  Type.String({ maxLength: 64, description: 'First event time, inclusive; open where not given.' }),
);
const to = Type.Optional(
  Type.String({ maxLength: 64, description: 'Last event time, exclusive; open where not given.' }),
);

export const AddDatabaseQuery = Type.Object(
  {
    name: DatabaseName,
    file: Type.Optional(Type.String({ maxLength: 255, description: 'As the file is called.' })),
    ignoreErrors: Type.Optional(
      Type.Boolean({ description: 'Take what can be read of a file that has errors.' }),
    ),
  },
  closed,
);
export const DatabaseParams = Type.Object({ name: DatabaseName });
export const DatabaseQuery = Type.Object({ version: Type.Optional(Version) }, closed);
export const AssignmentsQuery = Type.Object(
  { gateway: Type.Optional(Gateway), stream: Type.Optional(Stream) },
  closed,
);
export const AssignQuery = Type.Object(
  {
    gateway: Gateway,
    stream: Stream,
    database: DatabaseName,
    version: Type.Optional(Version),
    from,
    to,
    replace: Type.Optional(Type.Boolean({ description: 'Assignments that are in the way give way.' })),
  },
  closed,
);
export const UnassignQuery = Type.Object(
  { gateway: Gateway, stream: Stream, database: DatabaseName, from, to },
  closed,
);
export const MountQuery = Type.Object({ vehicle: Vehicle, gateway: Gateway, from, to }, closed);

const ProblemBody = Type.Object({
  severity: Type.String({ enum: ['error', 'warning'] }),
  line: Count,
  column: Count,
  text: Type.String(),
});
const versionFields = {
  version: Type.String({ description: 'SHA-256 of the content.' }),
  bytes: Count,
  added: Time,
  file: Type.String(),
  messages: Count,
  signals: Count,
  errors: Count,
  warnings: Count,
};

export const DatabasesBody = Type.Object({
  databases: Type.Array(
    Type.Object({
      name: Type.String(),
      ...versionFields,
      versions: Count,
      assignments: Count,
    }),
  ),
});

export const AddedBody = Type.Object({
  name: Type.String(),
  isNew: Type.Boolean({ description: 'False where this is the current content already.' }),
  ...versionFields,
  problems: Type.Array(ProblemBody),
});

const SignalBody = Type.Object({
  name: Type.String(),
  startBit: Count,
  length: Count,
  byteOrder: Type.String({ enum: ['little', 'big'] }),
  raw: Type.String({ enum: ['unsigned', 'signed', 'float', 'double'] }),
  factor: Type.Number(),
  offset: Type.Number(),
  minimum: Type.Optional(Type.Number()),
  maximum: Type.Optional(Type.Number()),
  unit: Type.String(),
  comment: Type.String(),
  multiplexor: Type.Optional(Type.String()),
  when: Type.Optional(
    Type.Array(Type.Array(Type.Number()), { description: 'Ranges of the multiplexor, inclusive.' }),
  ),
  labels: Type.Optional(
    Type.Array(Type.Object({ raw: Type.Number(), label: Type.String() }), {
      description: 'Names of raw values.',
    }),
  ),
});

export const DatabaseBody = Type.Object({
  name: Type.String(),
  ...versionFields,
  versions: Type.Array(Type.Object(versionFields)),
  nodes: Type.Array(Type.String()),
  problems: Type.Array(ProblemBody),
  content: Type.Array(
    Type.Object({
      name: Type.String(),
      id: Type.String({ description: 'Hexadecimal: 3 digits, or 8 for 29 bits.' }),
      format: Type.String(),
      length: Count,
      sender: Type.String(),
      cycleTimeMs: Type.Optional(Type.Number()),
      comment: Type.String(),
      signals: Type.Array(SignalBody),
    }),
  ),
});

export const AssignmentsBody = Type.Object({
  assignments: Type.Array(
    Type.Object({
      gateway: Type.String(),
      stream: Type.String(),
      database: Type.String(),
      version: Type.Optional(Type.String()),
      from: Type.Optional(Time),
      to: Type.Optional(Time),
    }),
  ),
});

export const VehiclesBody = Type.Object({
  vehicles: Type.Array(
    Type.Object({
      vehicle: Type.String(),
      gateway: Type.String(),
      from: Type.Optional(Time),
      to: Type.Optional(Time),
    }),
  ),
});

export const TouchedBody = Type.Object({ touched: Count });

export type Databases = Static<typeof DatabasesBody>;
export type Added = Static<typeof AddedBody>;
export type DatabaseDetails = Static<typeof DatabaseBody>;
export type Assignments = Static<typeof AssignmentsBody>;
export type Vehicles = Static<typeof VehiclesBody>;

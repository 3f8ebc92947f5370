import { FleetlogError } from '@fleetlog/shared/errors';
import { fits, Type, type Static } from '@fleetlog/shared/schema';

/*
 * catalogue.json: which databases there are, where they apply, and which gateway is in which vehicle. A person may
 * read it; times are µs since the Unix epoch.
 */
const Time = Type.Integer();
const Count = Type.Integer({ minimum: 0 });
const validity = { fromUs: Type.Optional(Time), toUs: Type.Optional(Time) };

const StateSchema = Type.Object({
  format: Type.Literal(1),
  databases: Type.Array(
    Type.Object({
      name: Type.String(),
      versions: Type.Array(
        Type.Object({
          hash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
          bytes: Count,
          addedUs: Time,
          file: Type.String(),
          messages: Count,
          signals: Count,
          errors: Count,
          warnings: Count,
        }),
        { minItems: 1 },
      ),
    }),
  ),
  assignments: Type.Array(
    Type.Object({
      gateway: Type.String(),
      stream: Type.String(),
      database: Type.String(),
      version: Type.Optional(Type.String()),
      ...validity,
    }),
  ),
  mounts: Type.Array(Type.Object({ vehicle: Type.String(), gateway: Type.String(), ...validity })),
});

export type StoredState = Static<typeof StateSchema>;

/** Errors: FLEETLOG_STORE where the text isn't such a state. */
export function readState(text: string | undefined, path: string): StoredState {
  if (text === undefined) return { format: 1, databases: [], assignments: [], mounts: [] };
  try {
    const value: unknown = JSON.parse(text);
    if (fits(StateSchema, value)) return value;
  } catch {
    // the sentence below says what there is to say
  }
  throw new FleetlogError(
    'FLEETLOG_STORE',
    `${path} isn't a catalogue that this version reads; restore it from a backup, or move it away to begin anew.`,
  );
}

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Type, type Static } from '@fleetlog/shared/schema';
import { checkConfig } from '@fleetlog/shared/config';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import { drivings } from '../vehicle/physics/driving.js';
import { failingParts } from '../vehicle/physics/failing.js';

const Count = Type.Integer({ minimum: 0 });

const oneOf = <const T extends string>(names: readonly T[]) =>
  Type.Unsafe<T>(Type.Union(names.map((name) => Type.Literal(name))));

const StretchRecord = Type.Object({ fromM: Type.Number(), toM: Type.Number() });

/** As `Firmware` has it. */
const FirmwareRecord = Type.Object({
  diagnosticsUs: Type.Optional(Count),
  ignition: Type.Optional(Type.Array(Type.Object({ onUs: Count, offUs: Type.Optional(Count) }))),
  receiver: Type.Optional(
    Type.Object({
      start: Type.Union([Type.Literal('cold'), Type.Literal('warm'), Type.Literal('hot')]),
      canyons: Type.Array(StretchRecord),
    }),
  ),
  disturbances: Type.Optional(
    Type.Object({
      bitErrorRate: Type.Number(),
      faults: Type.Array(
        Type.Object({
          node: Type.String(),
          atUs: Count,
          forUs: Count,
          share: Type.Number(),
          restartUs: Count,
        }),
      ),
    }),
  ),
});

const StreamEntry = Type.Object({
  gateway: Type.String(),
  stream: Type.String(),
  format: Type.Union([Type.Literal('candump'), Type.Literal('lines')]),
  /** What the vehicle is made of: with these it says the same again. */
  kind: Type.String(),
  seed: Count,
  fixRateHz: Type.Number(),
  tunnels: Type.Optional(Type.Array(StretchRecord)),
  firmware: Type.Optional(FirmwareRecord),
  failing: Type.Optional(oneOf(failingParts)),
  driving: Type.Optional(oneOf(drivings)),
  /** When it departed, µs after the start, and how long it drove; absent where it did so all the time. */
  trip: Type.Optional(Type.Object({ departsUs: Count, lastsUs: Count })),
  records: Count,
  /** Minute since it departed, records, first 16 digits of the SHA-256 of the text. */
  minutes: Type.Array(Type.Tuple([Count, Count, Type.String()])),
  /** Ages at which a reader of the cloud's tail got the records, ms; only of real time. */
  ageMs: Type.Optional(
    Type.Object({ p50: Type.Number(), p95: Type.Number(), p99: Type.Number(), max: Type.Number() }),
  ),
});
export type StreamEntry = Static<typeof StreamEntry>;

const LedgerSchema = Type.Object({
  fleetlogLedger: Type.Literal(1),
  /** Nothing in it ever happened. */
  simulated: Type.Literal(true),
  scenario: Type.String(),
  seed: Count,
  startUs: Count,
  durationUs: Count,
  hash: Type.String(),
  streams: Type.Array(StreamEntry),
});

/**
 * What a fleet said, as its simulator knows it: counts and hashes for each stream and minute. An independent witness:
 * it is written from what the vehicles said, before any gateway has heard it.
 */
export type Ledger = Static<typeof LedgerSchema>;

/** One hash over what all streams said; the same for the same scenario, seed and start. */
export function ledgerHash(streams: readonly StreamEntry[]): string {
  const hash = createHash('sha256');
  for (const { gateway, stream, records, minutes } of streams) {
    hash.update(`${gateway} ${stream} ${records} ${JSON.stringify(minutes)}\n`);
  }
  return hash.digest('hex').slice(0, 32);
}

/** Writes a ledger: one stream per line, so that people can read it. */
export async function writeLedger(path: string, ledger: Ledger): Promise<void> {
  const { streams, ...head } = ledger;
  const rows = streams.map((entry) => `    ${JSON.stringify(entry)}`).join(',\n');
  await writeFile(path, `${JSON.stringify(head).slice(0, -1)},"streams":[\n${rows}\n]}\n`);
}

/** Errors: FLEETLOG_CONFIG where it isn't a ledger, or was changed by hand. */
export function readLedger(path: string): Ledger {
  const ledger = checkConfig(LedgerSchema, parse(path), path);
  if (ledger.hash !== ledgerHash(ledger.streams)) {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `${path} was changed after it was written: its hash is wrong.`,
    );
  }
  return ledger;
}

function parse(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const code = systemCode(cause);
    const why = code === 'ENOENT' ? "doesn't exist" : code ? `can't be read (${code})` : "isn't a ledger";
    throw new FleetlogError('FLEETLOG_CONFIG', `${path} ${why}.`, { cause });
  }
}

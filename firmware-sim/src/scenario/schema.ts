import { Type, type Static } from '@fleetlog/shared/schema';
import { Duration } from '@fleetlog/shared/config';
import { FirmwareSchema } from './firmware.js';
import { Stretches } from './road.js';
import { kindNames } from '../vehicle/kinds.js';
import { drivings } from '../vehicle/physics/driving.js';
import { failingParts } from '../vehicle/physics/failing.js';

const closed = { additionalProperties: false };

/** One of a few words; a pattern gives a clearer complaint than a union of literals. */
const words = (names: readonly string[], noun: string, description: string) =>
  Type.String({ pattern: `^(${names.join('|')})$`, unit: `${noun}: ${names.join(', ')}`, description });

/** All that can go wrong by time. */
const faultNames = [
  'no-network',
  'satellite',
  'roaming',
  'power-cut',
  'clock-jump',
  'disk-full',
  'disk-readonly',
  'disk-error',
  'cloud-restart',
  'hostile',
] as const;
export type FaultName = (typeof faultNames)[number];

const VehicleSchema = Type.Object(
  {
    kind: words(kindNames, 'kind', 'What it is'),
    count: Type.Integer({ minimum: 1, maximum: 1000, default: 1, description: 'How many of them' }),
    trip: Type.Optional(
      Duration('How long each of them drives, from a time of its own on; default: all the time'),
    ),
    failing: Type.Optional(words(failingParts, 'failing part', 'What of it is failing slowly')),
    driving: Type.Optional(
      words(drivings, 'driving', 'How it drives: in towns only, or a published cycle; default: anywhere'),
    ),
    fixRate: Type.Integer({
      minimum: 1,
      maximum: 10,
      default: 1,
      description: 'GPS fixes a second',
    }),
    firmware: Type.Optional(FirmwareSchema),
  },
  closed,
);

/** Bytes of a checked budget. */
export const budgetBytes = (text: string): number =>
  Math.round(Number.parseFloat(text) * (text.endsWith('MB') ? 1e6 : text.endsWith('kB') ? 1000 : 1));

const FaultSchema = Type.Object(
  {
    at: Duration('When, from the start of the drive'),
    for: Duration('How long'),
    fault: words(faultNames, 'fault', 'What goes wrong; scenarios/README.md says how'),
    by: Type.Optional(
      Type.String({
        pattern: '^[+-]\\d+(\\.\\d+)?(ms|s|min|h|d)$',
        unit: 'signed duration such as -1h, +90s',
        description: 'clock-jump: how far the wall clock is set',
      }),
    ),
    budget: Type.Optional(
      Type.String({
        pattern: '^\\d+(\\.\\d+)?\\s*(B|kB|MB)$',
        unit: 'budget such as 50kB, 2MB',
        description: 'roaming: what may pass, in both directions together',
      }),
    ),
    vehicles: Type.Optional(
      Type.Array(Type.String(), {
        minItems: 1,
        description: 'Names, of groups too; default all. Not with cloud-restart and hostile',
      }),
    ),
  },
  closed,
);

/** A scenario file: everything that a run needs beside the clock. `scenarios/README.md` explains it. */
export const ScenarioSchema = Type.Object(
  {
    name: Type.String({
      pattern: '^[a-z0-9][a-z0-9-]{0,39}$',
      unit: 'name of a–z, 0–9 and -, at most 40 characters',
      description: 'Also names the folder of a run',
    }),
    seed: Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      default: 1,
      description: 'Another seed, other vehicles and drives',
    }),
    duration: Duration('How long the vehicles drive'),
    start: Type.Optional(
      Type.String({
        pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$',
        unit: 'time such as 2026-03-01T08:00:00Z',
        description: 'When the drive begins where time is virtual; default 2026-01-01T08:00:00Z',
      }),
    ),
    speed: Type.Union(
      [
        Type.Literal('max', { unit: 'factor above 0, or max' }),
        Type.Number({ exclusiveMinimum: 0, unit: 'factor above 0, or max' }),
      ],
      {
        default: 1,
        unit: 'factor above 0, or max',
        description: '1: real time; a factor; max: virtual time, as fast as the machine can',
      },
    ),
    tunnels: Stretches('By place: without network and without satellites, for vehicles with physics'),
    deadZones: Stretches('By place: without network, for vehicles with physics'),
    faults: Type.Optional(Type.Array(FaultSchema, { maxItems: 1000, description: 'By time' })),
    vehicles: Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,39}$' }), VehicleSchema, {
      minProperties: 1,
      description: 'By name; with a count above 1 the gateways are called NAME-1, NAME-2 …',
    }),
  },
  closed,
);
export type Scenario = Static<typeof ScenarioSchema>;

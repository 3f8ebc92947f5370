import { Type, type Static, type TUnsafe } from 'typebox';
import { FleetlogError } from '@fleetlog/shared/errors';
import { BatchConfig } from '../batch/limits.js';

/** One of a few words; a pattern gives a clearer complaint than a union of literals. */
function choice<const Words extends readonly string[]>(
  words: Words,
  description: string,
  unit = words.join(' or '),
): TUnsafe<Words[number]> {
  return Type.Unsafe<Words[number]>(Type.String({ pattern: `^(${words.join('|')})$`, unit, description }));
}

const paceUnit = 'factor above 0, or max, or original';

/**
 * One stream of a gateway. The schema is flat, so that a wrong key gets one clear complaint; which keys belong to
 * which source is told by `checkStreamKeys`.
 */
export const StreamConfig = Type.Object(
  {
    source: choice(
      ['file', 'command'],
      'Where the records come from',
      'file or command (socketcan and serial come later)',
    ),
    format: choice(
      ['candump', 'lines'],
      'CAN frames as candump -L writes them, or text lines of any kind (NMEA)',
    ),
    path: Type.Optional(Type.String({ minLength: 1, description: 'file: the recording' })),
    pace: Type.Optional(
      Type.Union(
        [
          Type.Literal('max', { unit: paceUnit }),
          Type.Literal('original', { unit: paceUnit }),
          Type.Number({ exclusiveMinimum: 0, unit: paceUnit }),
        ],
        { unit: paceUnit, description: 'file: how fast it is fed; default max' },
      ),
    ),
    times: Type.Optional(
      choice(
        ['original', 'now'],
        'file: as recorded (the default), or shifted so that the first record is now',
      ),
    ),
    strict: Type.Optional(
      Type.Boolean({ description: 'file: stop at the first malformed line; default false' }),
    ),
    command: Type.Optional(
      Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String(), { minItems: 1 })], {
        description: 'command: for /bin/sh, or a list of program and arguments; its output is the stream',
      }),
    ),
    origin: Type.Optional(
      choice(['live', 'simulated'], 'command: what its records are marked as; default live'),
    ),
    batch: BatchConfig,
  },
  { additionalProperties: false },
);
export type StreamConfig = Static<typeof StreamConfig>;

const keysOf = { file: ['path', 'pace', 'times', 'strict'], command: ['command', 'origin'] } as const;

/** Refuses a stream that lacks its source's key or has those of another. Errors: FLEETLOG_CONFIG. */
export function checkStreamKeys(stream: string, config: StreamConfig): void {
  const { source } = config;
  const [needed] = keysOf[source];
  if (config[needed] === undefined) {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `Missing key "streams.${stream}.${needed}": "source: ${source}" needs it.`,
    );
  }
  for (const key of keysOf[source === 'file' ? 'command' : 'file']) {
    if (config[key] === undefined) continue;
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `"source: ${source}" has no key "${key}"; remove "streams.${stream}.${key}".`,
    );
  }
}

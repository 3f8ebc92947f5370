import { Type, type Static } from 'typebox';
import { Duration } from '@fleetlog/shared/config';
import { FleetlogError } from '@fleetlog/shared/errors';
import { BatchConfig } from '../batch/limits.js';
import { choice } from './choice.js';
import { PacketConfig } from './serial/packet-config.js';

const paceUnit = 'factor above 0, or max, or original';

/**
 * One stream of a gateway. The schema is flat, so that a wrong key gets one clear complaint; which keys belong to
 * which source is told by `checkStreamKeys`.
 */
export const StreamConfig = Type.Object(
  {
    source: choice(
      ['file', 'command', 'serial'],
      'Where the records come from',
      'file, command or serial (socketcan comes later)',
    ),
    format: choice(
      ['candump', 'lines', 'packets'],
      'CAN frames as candump -L writes them, text lines of any kind (NMEA), or packets of numbers (serial)',
    ),
    path: Type.Optional(Type.String({ minLength: 1, description: 'file: the recording; serial: the port' })),
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
      choice(['live', 'simulated'], 'command, serial: what the records are marked as; default live'),
    ),
    baud: Type.Optional(
      Type.Integer({
        minimum: 50,
        maximum: 12_000_000,
        description: 'serial: bits a second; default 115200',
      }),
    ),
    dataBits: Type.Optional(Type.Integer({ minimum: 7, maximum: 8, description: 'serial: default 8' })),
    parity: Type.Optional(choice(['none', 'even', 'odd'], 'serial: default none')),
    stopBits: Type.Optional(Type.Integer({ minimum: 1, maximum: 2, description: 'serial: default 1' })),
    rtscts: Type.Optional(
      Type.Boolean({ description: 'serial: flow control by RTS and CTS; default false' }),
    ),
    silence: Type.Optional(
      Type.String({
        pattern: '^(off|\\d+(\\.\\d+)?(ms|s|min|h|d))$',
        unit: 'duration such as 30s, or off',
        description: 'serial: silence after which the port is opened anew; default 30s',
      }),
    ),
    packet: Type.Optional(PacketConfig),
    priority: Type.Integer({
      minimum: 0,
      maximum: 9,
      default: 5,
      description: 'What it is worth when the buffer is full; the lowest goes first',
    }),
    whenFull: Type.Optional(
      choice(
        ['wait', 'drop'],
        'when the buffer is full: the source waits (the default of files), or the oldest goes (of all others)',
      ),
    ),
    maxAge: Type.Optional(Duration('Batches that were stored longer ago are given up; default: never')),
    batch: BatchConfig,
  },
  { additionalProperties: false },
);
export type StreamConfig = Static<typeof StreamConfig>;

const keysOf = {
  file: ['path', 'pace', 'times', 'strict'],
  command: ['command', 'origin'],
  serial: ['path', 'origin', 'baud', 'dataBits', 'parity', 'stopBits', 'rtscts', 'silence', 'packet'],
} as const satisfies Record<string, readonly (keyof StreamConfig)[]>;

/** Refuses a stream that lacks its source's key or has those of another. Errors: FLEETLOG_CONFIG. */
export function checkStreamKeys(stream: string, config: StreamConfig): void {
  const { source, format, packet } = config;
  const own: readonly (keyof StreamConfig)[] = keysOf[source];
  const [needed] = own;
  if (config[needed] === undefined) {
    throw refused(`Missing key "streams.${stream}.${needed}": "source: ${source}" needs it`);
  }
  for (const key of new Set(Object.values(keysOf).flat())) {
    if (config[key] === undefined || own.includes(key)) continue;
    throw refused(`"source: ${source}" has no key "${key}"; remove "streams.${stream}.${key}"`);
  }
  if (source === 'serial' ? format === 'candump' : format === 'packets') {
    const others = source === 'serial' ? 'lines or packets' : 'candump or lines';
    throw refused(
      `"source: ${source}" has no "format: ${format}"; "streams.${stream}.format" must be ${others}`,
    );
  }
  if ((format === 'packets') === (packet === undefined)) {
    throw refused(
      packet
        ? `"streams.${stream}.packet" goes with "format: packets" only`
        : `Missing key "streams.${stream}.packet": "format: packets" needs to know what they look like`,
    );
  }
}

const refused = (sentence: string): FleetlogError => new FleetlogError('FLEETLOG_CONFIG', `${sentence}.`);

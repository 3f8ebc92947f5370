import { Type, type Static } from '@fleetlog/shared/schema';
import { Duration } from '@fleetlog/shared/config';
import { FleetlogError } from '@fleetlog/shared/errors';
import { BatchConfig } from '../batch/limits.js';
import { choice } from './choice.js';
import { PacketConfig } from './serial/packet-config.js';
import { bitrates } from './slcan/slcan-line.js';

const paceUnit = 'factor above 0, or max, or original, or clock';

/**
 * One stream of a gateway. The schema is flat, so that a wrong key gets one clear complaint; which keys belong to
 * which source is told by `checkStreamKeys`.
 */
export const StreamConfig = Type.Object(
  {
    source: choice(
      ['file', 'command', 'serial', 'slcan', 'gpsd', 'socketcan'],
      'Where the records come from',
    ),
    format: Type.Optional(
      choice(
        ['candump', 'lines', 'packets', 'ubx'],
        'CAN frames as candump -L writes them, text lines of any kind (NMEA), packets of numbers (serial), or UBX packets of a u-blox receiver with NMEA between them',
      ),
    ),
    path: Type.Optional(Type.String({ minLength: 1, description: 'file: the recording; serial: the port' })),
    pace: Type.Optional(
      Type.Union(
        [
          Type.Literal('max', { unit: paceUnit }),
          Type.Literal('original', { unit: paceUnit }),
          Type.Literal('clock', { unit: paceUnit }),
          Type.Number({ exclusiveMinimum: 0, unit: paceUnit }),
        ],
        {
          unit: paceUnit,
          description:
            'file: how fast it is fed; clock: each record when the clock shows its time; default max',
        },
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
      choice(
        ['live', 'simulated'],
        'what the records are marked as; default live, of files recording (not live)',
      ),
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
    interface: Type.Optional(
      Type.String({
        pattern: '^[^/\\s]{1,15}$',
        unit: 'name of an interface such as can0',
        description: 'socketcan: the CAN interface',
      }),
    ),
    filters: Type.Optional(
      Type.Array(
        Type.String({
          pattern: '^([0-9a-fA-F]{3}|[0-9a-fA-F]{8})(/([0-9a-fA-F]{3}|[0-9a-fA-F]{8}))?$',
          unit: 'identifier such as 7E8, 18FEF100, or with a mask 700/7F0',
        }),
        { maxItems: 256, description: 'socketcan: frames that the kernel passes on; default all' },
      ),
    ),
    receiveBuffer: Type.Optional(
      Type.String({ description: 'socketcan: bytes for frames that wait in the kernel; default 8MiB' }),
    ),
    restart: Type.Optional(
      Duration('socketcan: wait until a controller that is bus-off is restarted; default: it stays off'),
    ),
    host: Type.Optional(Type.String({ description: 'gpsd: where it listens; default 127.0.0.1:2947' })),
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
    thin: Type.Optional(
      Type.Integer({
        minimum: 2,
        maximum: 10_000,
        description:
          'CAN frames and packets: when the buffer is full, of the oldest one in so many is kept, per identifier, before any is given up; default: none is',
      }),
    ),
    bitrate: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: `slcan: bits a second of the bus: ${bitrates.join(', ')}; other CAN sources: what its load is reckoned by where the kernel doesn't say`,
      }),
    ),
    dataBitrate: Type.Optional(
      Type.Integer({ description: 'slcan: of the data of CAN FD frames, 2000000 or 5000000; default none' }),
    ),
    listenOnly: Type.Optional(
      Type.Boolean({ description: 'slcan: acknowledge no frames on the bus; default true' }),
    ),
    timestamps: Type.Optional(Type.Boolean({ description: "slcan: use the adapter's clock; default true" })),
    bus: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        description: 'slcan: name of the bus in the frames; default can0',
      }),
    ),
    clock: Type.Optional(
      Type.Boolean({
        description:
          'command, serial, gpsd: the receiver tells the true time as it comes, which sets the clock; default false',
      }),
    ),
    batch: BatchConfig,
  },
  { additionalProperties: false },
);
export type StreamConfig = Static<typeof StreamConfig>;

type Key = keyof StreamConfig;
type Format = NonNullable<StreamConfig['format']>;

const busRates: Key[] = ['bitrate', 'dataBitrate'];

/** Of each source: the keys that it needs, those that it may have, and its formats, of which one is needed if there are any. */
const sources: Record<StreamConfig['source'], { needs: Key[]; takes: Key[]; formats: Format[] }> = {
  file: {
    needs: ['path'],
    takes: ['pace', 'times', 'strict', 'origin', ...busRates],
    formats: ['candump', 'lines', 'ubx'],
  },
  command: {
    needs: ['command'],
    takes: ['origin', 'clock', ...busRates],
    formats: ['candump', 'lines', 'ubx'],
  },
  serial: {
    needs: ['path'],
    takes: ['origin', 'clock', 'baud', 'dataBits', 'parity', 'stopBits', 'rtscts', 'silence', 'packet'],
    formats: ['lines', 'packets', 'ubx'],
  },
  slcan: {
    needs: ['path', 'bitrate'],
    takes: ['origin', 'baud', 'rtscts', 'silence', 'dataBitrate', 'listenOnly', 'timestamps', 'bus'],
    formats: [],
  },
  gpsd: { needs: [], takes: ['host', 'origin', 'clock', 'silence'], formats: [] },
  socketcan: {
    needs: ['interface'],
    takes: ['filters', 'receiveBuffer', 'origin', 'restart', ...busRates],
    formats: [],
  },
};
/** Keys of all sources. */
const common: readonly Key[] = ['source', 'batch', 'priority', 'whenFull', 'maxAge', 'thin'];

/** Whether a stream is of CAN frames. */
export const carriesCan = ({ source, format }: StreamConfig): boolean =>
  source === 'socketcan' || source === 'slcan' || format === 'candump';

/** Refuses a stream that lacks what its source needs or has what is another's. Errors: FLEETLOG_CONFIG. */
export function checkStreamKeys(stream: string, config: StreamConfig): void {
  const { source, format, packet } = config;
  const { needs, takes, formats } = sources[source];
  const own: readonly Key[] = [
    ...common,
    ...needs,
    ...takes,
    ...(formats.length > 0 ? (['format'] as const) : []),
  ];
  for (const key of formats.length > 0 ? [...needs, 'format' as const] : needs) {
    if (config[key] === undefined) {
      throw refused(`Missing key "streams.${stream}.${key}": "source: ${source}" needs it`);
    }
  }
  for (const key of Object.keys(config) as Key[]) {
    if (config[key] === undefined || own.includes(key)) continue;
    throw refused(`"source: ${source}" has no key "${key}"; remove "streams.${stream}.${key}"`);
  }
  if (format !== undefined && !formats.includes(format)) {
    throw refused(
      `"source: ${source}" has no "format: ${format}"; "streams.${stream}.format" must be ${formats.join(', ').replace(/, ([^,]+)$/, ' or $1')}`,
    );
  }
  if (source === 'file' && config.origin === 'live') {
    throw refused(`A recording isn't live; remove "streams.${stream}.origin" or make it simulated`);
  }
  if (!carriesCan(config) && (config.bitrate ?? config.dataBitrate) !== undefined) {
    throw refused(`Only a CAN bus has a bit rate; remove it from "streams.${stream}"`);
  }
  if (config.thin !== undefined && !carriesCan(config) && format !== 'packets') {
    throw refused(`Only CAN frames and packets can be thinned; remove "streams.${stream}.thin"`);
  }
  if (config.clock && format !== undefined && format !== 'lines' && format !== 'ubx') {
    throw refused(`Only a GPS receiver tells the time; remove "streams.${stream}.clock"`);
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

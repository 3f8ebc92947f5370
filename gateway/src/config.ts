import { realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Type, type Static } from '@fleetlog/shared/schema';
import { isGatewayId, isStreamName } from '@fleetlog/shared/batch';
import { Bytes, byteCount, checkConfig, Duration, durationMs, readYaml } from '@fleetlog/shared/config';
import { FleetlogError } from '@fleetlog/shared/errors';
import { logLevels, type LogLevel } from '@fleetlog/shared/log';
import { EVENTS_STREAM } from './events/events.js';
import { refusedBytesMax } from './buffer/refused-shelf.js';
import { writeBuffersInLimitMin, type SpaceLimits } from './buffer/space/limits.js';
import { hostPort, type HostPort } from './host-port.js';
import { StreamConfig } from './sources/config.js';
import type { BudgetLimits } from './uplink/budget.js';
import type { TlsOptions } from './uplink/dial.js';
import type { BacklogOrder } from './uplink/schedule.js';

const closed = { additionalProperties: false };

const UplinkSchema = Type.Object(
  {
    url: Type.String({ description: 'The cloud: mqtt://HOST:PORT, mqtts://HOST:PORT' }),
    password: Type.Optional(Type.String({ description: "The gateway's password; its id is the user name" })),
    protocol: Type.Union([Type.Literal('3.1.1'), Type.Literal('5'), Type.Literal(5)], {
      default: '3.1.1',
      description: "MQTT version; Fleetlog's own broker speaks 3.1.1",
    }),
    tls: Type.Optional(
      Type.Object(
        {
          ca: Type.Optional(
            Type.String({
              description: 'Certificates of the authorities of the cloud, PEM; else those of Node',
            }),
          ),
          certificate: Type.Optional(Type.String({ description: "The gateway's certificate, PEM" })),
          key: Type.Optional(Type.String({ description: 'Its key, PEM' })),
          serverName: Type.Optional(
            Type.String({ minLength: 1, description: "Name in the cloud's certificate, if not the URL's" }),
          ),
        },
        closed,
      ),
    ),
    keepAlive: Duration('Silence after which the connection is probed', '15s'),
    connectTimeout: Duration('Longest wait for the broker to accept a connection', '10s'),
    reconnect: Duration('Longest wait between two attempts to connect', '30s'),
    ackTimeout: Duration('Wait for the acknowledgement of a batch until it is sent again', '15s'),
    window: Type.Object(
      {
        batches: Type.Integer({
          minimum: 1,
          maximum: 10_000,
          default: 64,
          description: 'Batches on their way',
        }),
        bytes: Bytes('Bytes on their way', '4MiB'),
      },
      { ...closed, default: {} },
    ),
    rate: Type.Optional(Bytes('Most bytes a second')),
    budget: Type.Optional(
      Type.Object(
        {
          month: Bytes('Bytes on the wire in a month (UTC), sent and received'),
          priority: Type.Integer({
            minimum: 0,
            maximum: 10,
            default: 10,
            description: 'When it is used up, streams of this priority and above go on; 10: events only',
          }),
        },
        closed,
      ),
    ),
    linger: Type.Optional(Duration("Wait of a record for its batch, where a stream doesn't say another")),
    compression: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 19,
        description: 'zstd level of text lines and samples; CAN frames have a coding of their own',
      }),
    ),
    backlog: Type.Object(
      {
        order: Type.Union([Type.Literal('oldest-first'), Type.Literal('newest-first')], {
          default: 'oldest-first',
          description: 'Which of the batches from before the connection go first; live ones go before them',
        }),
        share: Type.Number({
          minimum: 0,
          maximum: 1,
          default: 1,
          description: 'Part of the link that the backlog may take where live data leave it free',
        }),
        rate: Type.Optional(Bytes('Most bytes of backlog a second')),
      },
      { ...closed, default: {} },
    ),
  },
  closed,
);

const BufferSchema = Type.Object(
  {
    limit: Bytes(
      'Files of the buffer together (below 50MiB the 5MB that a database has in any case come on top); above it the oldest of the lowest priority is given up',
      '4GiB',
    ),
    minFree: Bytes('Free space of the disk that is left to others', '256MiB'),
    writeBudget: Type.Optional(
      Bytes('Bytes that the gateway may write to disk in a day; kept by rarer commits, up to 10s'),
    ),
    ballast: Bytes(
      'A file to be deleted when the disk is full, so that the buffer can make room; a database that is made anew takes 4 MiB of it',
      '8MiB',
    ),
    commitInterval: Duration('Longest wait of a batch for others to share its sync barrier', '250ms'),
    commitSize: Bytes('Waiting batches that are made durable at once', '4MiB'),
    queueSize: Bytes('Batches not yet durable at which sources have to wait', '16MiB'),
    refusedSize: Bytes(
      'Batches that the cloud refused, kept aside, the newest; no more than a sixteenth of the limit',
      `${refusedBytesMax / 2 ** 20}MiB`,
    ),
    writeBuffer: Bytes('Memory for batches before they go to table files; large spares an SD card', '4MiB'),
  },
  { ...closed, default: {} },
);

/** The gateway's configuration file. */
const GatewaySchema = Type.Object(
  {
    gateway: Type.String({ description: 'Id of this gateway: a-z, 0-9 and -, at most 63' }),
    data: Type.String({ minLength: 1, description: 'Folder of the buffer' }),
    uplink: UplinkSchema,
    buffer: BufferSchema,
    metrics: Type.Optional(
      Type.String({
        description: 'Where metrics are served for Prometheus, such as 127.0.0.1:9464; default: nowhere',
      }),
    ),
    logLevel: Type.Union(
      logLevels.map((level) => Type.Literal(level)),
      { default: 'info', description: logLevels.join(', ') },
    ),
    // typebox fills the defaults below a record's values in only where these have one themselves.
    streams: Type.Record(Type.String(), Type.Object(StreamConfig.properties, { ...closed, default: {} })),
  },
  closed,
);

/** Checked, with absolute paths, ms and bytes. */
export interface GatewayConfig {
  gateway: string;
  data: string;
  logLevel: LogLevel;
  /** Where metrics are served; port 0 takes a free one. */
  metrics: HostPort | undefined;
  uplink: {
    url: string;
    password: string | undefined;
    protocol: '3.1.1' | '5';
    tls: TlsOptions;
    keepAliveMs: number;
    connectTimeoutMs: number;
    reconnectMsMax: number;
    ackTimeoutMs: number;
    window: { batches: number; bytes: number };
    /** Infinity where there is no limit; of the backlog too. */
    bytesPerSecond: number;
    budget: BudgetLimits | undefined;
    /** zstd level; undefined takes that of each kind of stream. */
    compression: number | undefined;
    backlog: { order: BacklogOrder; share: number; bytesPerSecond: number };
  };
  buffer: {
    space: SpaceLimits;
    commitIntervalMs: number;
    commitBytes: number;
    queueBytes: number;
    refusedBytes: number;
    writeBufferBytes: number;
    writeBytesPerDay: number | undefined;
  };
  streams: Record<string, StreamConfig>;
}

export interface ConfigOverrides {
  logLevel?: string | undefined;
}

/** Reads a configuration file; environment variables win over it, and flags over both. Errors: FLEETLOG_CONFIG. */
export function loadGatewayConfig(
  path: string,
  environment: Record<string, string | undefined>,
  flags: ConfigOverrides = {},
): GatewayConfig {
  const value = readYaml(path);
  return checkGatewayConfig(overridden(value, environment, flags), path);
}

/** `value` is what the file holds; `source` its path, from which relative paths count. Errors: FLEETLOG_CONFIG. */
export function checkGatewayConfig(value: unknown, source: string): GatewayConfig {
  const raw = checkConfig(GatewaySchema, value, source);
  const idFits: boolean = isGatewayId(raw.gateway);
  if (!idFits) {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `${source}: "gateway" is "${raw.gateway}"; an id is made of a-z, 0-9 and -, starts with a letter or digit, and has at most 63 characters.`,
    );
  }
  checkUrl(raw.uplink.url, source);
  const base = dirname(resolve(source));
  const { uplink, buffer } = raw;
  return {
    gateway: raw.gateway,
    data: resolve(base, raw.data),
    logLevel: raw.logLevel,
    metrics: raw.metrics === undefined ? undefined : hostPort(raw.metrics, 'metrics', '127.0.0.1:9464', 0),
    uplink: {
      url: uplink.url,
      password: uplink.password,
      protocol: uplink.protocol === 5 ? '5' : uplink.protocol,
      tls: tlsOptions(uplink.tls ?? {}, uplink.url, base, source),
      keepAliveMs: atLeast(durationMs(uplink.keepAlive), 1000, 'uplink.keepAlive', '1s', source),
      reconnectMsMax: atLeast(durationMs(uplink.reconnect), 100, 'uplink.reconnect', '100ms', source),
      connectTimeoutMs: atLeast(
        durationMs(uplink.connectTimeout),
        100,
        'uplink.connectTimeout',
        '100ms',
        source,
      ),
      ackTimeoutMs: atLeast(durationMs(uplink.ackTimeout), 100, 'uplink.ackTimeout', '100ms', source),
      window: {
        batches: uplink.window.batches,
        bytes: atLeast(byteCount(uplink.window.bytes), 1024, 'uplink.window.bytes', '1KiB', source),
      },
      bytesPerSecond: rate(uplink.rate, 'uplink.rate', source),
      budget: uplink.budget && {
        bytes: atLeast(byteCount(uplink.budget.month), 1000, 'uplink.budget.month', '1kB', source),
        priority: uplink.budget.priority,
      },
      compression: uplink.compression,
      backlog: {
        order: uplink.backlog.order,
        share: uplink.backlog.share,
        bytesPerSecond: rate(uplink.backlog.rate, 'uplink.backlog.rate', source),
      },
    },
    buffer: {
      space: spaceLimits(buffer, source),
      writeBytesPerDay: buffer.writeBudget === undefined ? undefined : byteCount(buffer.writeBudget),
      commitIntervalMs: durationMs(buffer.commitInterval),
      commitBytes: byteCount(buffer.commitSize),
      queueBytes: byteCount(buffer.queueSize),
      refusedBytes: Math.min(byteCount(buffer.refusedSize), byteCount(buffer.limit) / 16),
      writeBufferBytes: atLeast(
        byteCount(buffer.writeBuffer),
        64 * 1024,
        'buffer.writeBuffer',
        '64KiB',
        source,
      ),
    },
    streams: checkStreams(raw.streams, uplink.linger, base, source),
  };
}

function spaceLimits(buffer: Static<typeof BufferSchema>, source: string): SpaceLimits {
  const least = writeBuffersInLimitMin * byteCount(buffer.writeBuffer);
  const text = `${writeBuffersInLimitMin} times "buffer.writeBuffer" (${Math.ceil(least / 2 ** 20)}MiB)`;
  return {
    bytes: atLeast(byteCount(buffer.limit), least, 'buffer.limit', text, source),
    freeBytesMin: byteCount(buffer.minFree),
    ballastBytes: byteCount(buffer.ballast),
  };
}

function checkStreams(
  streams: Record<string, StreamConfig>,
  linger: string | undefined,
  base: string,
  source: string,
): Record<string, StreamConfig> {
  const checked: Record<string, StreamConfig> = {};
  const users = new Map<string, string>();
  for (const [name, stream] of Object.entries(streams)) {
    const nameFits: boolean = isStreamName(name);
    if (!nameFits) {
      throw new FleetlogError(
        'FLEETLOG_CONFIG',
        `${source}: the stream name "${name}" isn't possible; it is made of a-z, 0-9, - and _, starts with a letter or digit, and has at most 63 characters.`,
      );
    }
    if (name === EVENTS_STREAM) {
      throw new FleetlogError(
        'FLEETLOG_CONFIG',
        `${source}: the stream name "${name}" is reserved for the gateway's own events; choose another.`,
      );
    }
    checked[name] = stream;
    if (linger !== undefined) stream.batch.linger ??= linger;
    if (stream.path === undefined) continue;
    const place = resolve(base, stream.path);
    // A port may be named by its link below /dev/serial/by-id and by what that leads to.
    const device = realPath(place);
    const user = users.get(device);
    if (user !== undefined) {
      throw new FleetlogError(
        'FLEETLOG_CONFIG',
        `${source}: the streams "${user}" and "${name}" both read ${device}; let one of them do it.`,
      );
    }
    users.set(device, name);
    checked[name] = { ...stream, path: place };
  }
  return checked;
}

/** Where links lead to; the path itself where nothing is there yet. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

const urlProtocols = ['mqtt:', 'mqtts:', 'ws:', 'wss:'];

function checkUrl(text: string, source: string): void {
  const url = URL.parse(text);
  if (!url || !urlProtocols.includes(url.protocol) || url.hostname === '') {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `${source}: "uplink.url" is "${text}"; it must be like mqtt://HOST:1883 or mqtts://HOST:8883.`,
    );
  }
  if (url.username || url.password) {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `${source}: "uplink.url" names a user or password; the gateway's id is the user, and the password goes to "uplink.password".`,
    );
  }
}

function atLeast(value: number, least: number, key: string, text: string, source: string): number {
  if (value >= least) return value;
  throw new FleetlogError('FLEETLOG_CONFIG', `${source}: "${key}" must be at least ${text}.`);
}

function tlsOptions(tls: TlsOptions, url: string, base: string, source: string): TlsOptions {
  if (Object.keys(tls).length > 0 && !/^(mqtts|wss):/.test(url)) {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `${source}: "uplink.tls" needs an "uplink.url" that begins with mqtts://, or remove it.`,
    );
  }
  const { ca, certificate, key, serverName } = tls;
  const file = (path: string | undefined): string | undefined => path && resolve(base, path);
  return { ca: file(ca), certificate: file(certificate), key: file(key), serverName };
}

const rate = (bytes: string | undefined, key: string, source: string): number =>
  bytes === undefined ? Infinity : atLeast(byteCount(bytes), 100, key, '100B', source);

/** `value` with what the environment and the flags say put over it. */
function overridden(
  value: unknown,
  environment: Record<string, string | undefined>,
  flags: ConfigOverrides,
): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const config: Record<string, unknown> = { ...value };
  const uplink: Record<string, unknown> = { ...(config.uplink as object | undefined) };
  const {
    FLEETLOG_GATEWAY: gateway,
    FLEETLOG_DATA: data,
    FLEETLOG_UPLINK_URL: url,
    FLEETLOG_UPLINK_PASSWORD: password,
    FLEETLOG_LOG_LEVEL: level,
  } = environment;
  const logLevel = flags.logLevel ?? level;
  if (gateway !== undefined) config.gateway = gateway;
  if (data !== undefined) config.data = resolve(data);
  if (url !== undefined) uplink.url = url;
  if (password !== undefined) uplink.password = password;
  if (logLevel !== undefined) config.logLevel = logLevel;
  if (config.uplink !== undefined || Object.keys(uplink).length > 0) config.uplink = uplink;
  return config;
}

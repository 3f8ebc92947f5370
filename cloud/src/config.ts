import { dirname, resolve } from 'node:path';
import { Type, type Static } from '@fleetlog/shared/schema';
import { isGatewayId, limits } from '@fleetlog/shared/batch';
import { Bytes, byteCount, checkConfig, Duration, durationMs, readYaml } from '@fleetlog/shared/config';
import { FleetlogError } from '@fleetlog/shared/errors';
import { logLevels, type LogLevel } from '@fleetlog/shared/log';
import type { BrokerClientOptions } from './broker/broker-client.js';
import { BrokerSchema, checkBroker, TlsSchema } from './broker/config.js';
import type { TlsListener } from './broker/tls-listener.js';
import type { Users } from './broker/users.js';
import { nameLimits, type NameLimits } from './ingest/new-streams.js';
import type { QueueLimits } from './ingest/queue.js';
import { checkRetention, RetentionSchema, type RetentionConfig } from './retention/rules.js';
import { isLoopback, parseAddress, type ListenAddress } from './listen.js';
import { checkLog, LogSchema, type LogConfig } from './log/config.js';

const closed = { additionalProperties: false };

const MqttSchema = Type.Object(
  {
    listen: Type.String({
      default: '127.0.0.1:1883',
      description: 'Address for gateways, HOST:PORT; port 0 takes a free one',
    }),
    tls: Type.Optional(TlsSchema),
    broker: Type.Optional(BrokerSchema),
    users: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Object(
          { password: Type.String({ minLength: 1, description: "The gateway's password" }) },
          closed,
        ),
        { description: 'Gateways that may connect, by id; without it any may, from this machine only' },
      ),
    ),
    open: Type.Boolean({
      default: false,
      description: 'Let anybody who reaches the address connect as any gateway',
    }),
    connectionsMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 10_000,
      description: 'Connections at one time',
    }),
    packetSizeMax: Bytes('Largest MQTT packet', '5MiB'),
    keepAliveMax: Duration(
      'Longest silence that a gateway may ask for before its connection is ended',
      '10min',
    ),
    connectTimeout: Duration('Longest wait for a new connection to say who it is', '10s'),
  },
  { ...closed, default: {} },
);

/** The cloud's configuration file. Everything has a default but `data`, which the flag can give as well. */
const CloudSchema = Type.Object(
  {
    data: Type.String({ minLength: 1, description: 'Folder of the log and the index' }),
    mqtt: MqttSchema,
    http: Type.Object(
      {
        listen: Type.String({
          default: '127.0.0.1:8080',
          description: 'Address of the API, HOST:PORT; port 0 takes a free one',
        }),
      },
      { ...closed, default: {} },
    ),
    log: LogSchema,
    ingest: Type.Object(
      {
        only: Type.Boolean({
          default: false,
          description: 'No index and no API: other clouds on the same log (log.shared) answer questions',
        }),
        queueSize: Bytes('Batches not yet durable at which gateways have to wait', '64MiB'),
        queueMessages: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 20_000,
          description: 'The same in messages',
        }),
        newStreams: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: nameLimits.newStreamsPerDay,
          description: 'Streams that a gateway may begin in a day, those of each epoch counted apart',
        }),
        gateways: Type.Integer({
          minimum: 1,
          maximum: 10_000_000,
          default: nameLimits.gatewaysMax,
          description: 'Gateways that may be known',
        }),
      },
      { ...closed, default: {} },
    ),
    retention: RetentionSchema,
    disk: Type.Object(
      {
        minFree: Bytes(
          'Free disk below which nothing more is acknowledged; gateways keep their data',
          '256MiB',
        ),
      },
      { ...closed, default: {} },
    ),
    rollups: Type.Object(
      {
        budget: Bytes('Disk for sums of signals by second, minute and hour; 0B keeps none', '256MiB'),
        signals: Type.Array(Type.String({ pattern: '^[^/]+/[^/]+/.+' }), {
          default: [],
          description: 'Kept before anybody asks for them, as gateway/stream/Message/Signal',
        }),
      },
      { ...closed, default: {} },
    ),
    columns: Type.Object(
      {
        budget: Bytes(
          'Disk for the frames of past minutes by identifier, so that a signal is read alone; 0B keeps none',
          '512MiB',
        ),
      },
      { ...closed, default: {} },
    ),
    logLevel: Type.Union(
      logLevels.map((level) => Type.Literal(level)),
      { default: 'info', description: logLevels.join(', ') },
    ),
  },
  closed,
);

/** Checked, with absolute paths, ms and bytes. */
export interface CloudConfig {
  data: string;
  logLevel: LogLevel;
  mqtt: ListenAddress & {
    users: Users;
    connectionsMax: number;
    packetBytesMax: number;
    keepAliveSecondsMax: number;
    connectTimeoutMs: number;
    tls: TlsListener | undefined;
    /** Used in the place of a listener of ours. */
    broker: BrokerClientOptions | undefined;
  };
  http: ListenAddress;
  log: LogConfig;
  ingest: QueueLimits & { only: boolean };
  names: NameLimits;
  rollups: { bytesMax: number; signals: string[] };
  columns: { bytesMax: number };
  retention: RetentionConfig;
  disk: { minFreeBytes: number };
}

export interface CloudFlags {
  data?: string | undefined;
  mqtt?: string | undefined;
  http?: string | undefined;
  logLevel?: string | undefined;
}

/**
 * A flag wins over its `FLEETLOG_…` variable, that over the file, that over the default. Paths in the file count from
 * the file's folder, others from the working folder. Errors: FLEETLOG_CONFIG.
 */
export function loadCloudConfig(
  path: string | undefined,
  environment: Record<string, string | undefined>,
  flags: CloudFlags,
): CloudConfig {
  const file = path === undefined ? {} : readYaml(path);
  const data = flags.data ?? environment.FLEETLOG_DATA;
  const base = data !== undefined || path === undefined ? process.cwd() : dirname(resolve(path));
  const mqtt = flags.mqtt ?? environment.FLEETLOG_MQTT;
  const http = flags.http ?? environment.FLEETLOG_HTTP;
  const logLevel = flags.logLevel ?? environment.FLEETLOG_LOG_LEVEL;
  const brokerPassword = environment.FLEETLOG_BROKER_PASSWORD;
  const kafkaPassword = environment.FLEETLOG_KAFKA_PASSWORD;
  if (mqtt !== undefined && isObject(file) && isObject(file.mqtt) && file.mqtt.broker !== undefined) {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `"mqtt.broker" in ${path} takes the place of a listener of ours; leave out --mqtt and FLEETLOG_MQTT.`,
    );
  }
  const value = isObject(file)
    ? {
        ...file,
        ...(data !== undefined && { data }),
        ...(mqtt !== undefined && { mqtt: withListen(file.mqtt, mqtt) }),
        ...(http !== undefined && { http: withListen(file.http, http) }),
        ...(logLevel !== undefined && { logLevel }),
        ...(kafkaPassword !== undefined && { log: withKafkaPassword(file.log, kafkaPassword) }),
        ...(brokerPassword !== undefined && { mqtt: withBrokerPassword(file.mqtt, brokerPassword) }),
      }
    : file;
  if (isObject(value) && value.data === undefined) {
    throw new FleetlogError('FLEETLOG_CONFIG', 'Say where the data are: --data DIR, or "data" in the file.');
  }
  return checkCloudConfig(value, path ?? 'command line', base);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const withListen = (section: unknown, listen: string): unknown =>
  section === undefined || isObject(section) ? { ...section, listen } : section;

const withBrokerPassword = (section: unknown, password: string): unknown =>
  isObject(section) && isObject(section.broker)
    ? { ...section, broker: { ...section.broker, password } }
    : section;

const withKafkaPassword = (section: unknown, password: string): unknown =>
  isObject(section) && section.kind === 'kafka' ? { ...section, password } : section;

function checkCloudConfig(value: unknown, source: string, base: string): CloudConfig {
  const raw: Static<typeof CloudSchema> = checkConfig(CloudSchema, value, source);
  const { mqtt, log, ingest } = raw;
  const fail = (complaint: string): never => {
    throw new FleetlogError('FLEETLOG_CONFIG', `${source}: ${complaint}`);
  };
  const address = (text: string, key: string): ListenAddress =>
    parseAddress(text) ?? fail(`"${key}" is "${text}"; it must be like 127.0.0.1:1883 or [::1]:1883.`);
  const mqttAddress = address(mqtt.listen, 'mqtt.listen');
  for (const gateway of Object.keys(mqtt.users ?? {})) {
    const idFits: boolean = isGatewayId(gateway);
    if (!idFits) fail(`"mqtt.users.${gateway}" isn't a gateway id (a-z, 0-9 and -, at most 63).`);
  }
  const absolute = (path: string): string => resolve(base, path);
  const tls = mqtt.tls && { ...mqtt.tls, ...address(mqtt.tls.listen, 'mqtt.tls.listen') };
  const exposed = [
    ...(isLoopback(mqttAddress.host) ? [] : [mqtt.listen]),
    ...(tls && tls.clientCa === undefined && !isLoopback(tls.host) ? [tls.listen] : []),
  ];
  if (mqtt.users === undefined && !mqtt.open && mqtt.broker === undefined && exposed.length > 0) {
    fail(
      `Others can reach ${exposed[0]}, and anybody could connect as any gateway; ` +
        'name the gateways and their passwords in "mqtt.users", or set "mqtt.open: true" where that is wanted.',
    );
  }
  if (ingest.only && !log.shared)
    fail('"ingest.only" is for one of several clouds; it needs "log.shared: true".');
  if (log.shared && !mqtt.broker) {
    fail('"log.shared" needs "mqtt.broker": one that all of the clouds take their batches from.');
  }
  const packetBytesMax = byteCount(mqtt.packetSizeMax);
  // A packet has the topic besides the batch.
  const packetBytesMin = limits.batchBytesMax + 1024;
  if (packetBytesMax < packetBytesMin) {
    fail(`"mqtt.packetSizeMax" must be at least ${packetBytesMin}B, or large batches could never come.`);
  }
  const keepAliveSecondsMax = Math.round(durationMs(mqtt.keepAliveMax) / 1000);
  if (keepAliveSecondsMax < 1 || keepAliveSecondsMax > 65_535) {
    fail('"mqtt.keepAliveMax" must be from 1s to 18h.');
  }
  const connectTimeoutMs = durationMs(mqtt.connectTimeout);
  if (connectTimeoutMs < 100 || connectTimeoutMs > 600_000) {
    fail('"mqtt.connectTimeout" must be from 100ms to 10min.');
  }
  if (mqtt.broker && mqtt.users) fail('with "mqtt.broker" that broker knows the users; remove "mqtt.users".');
  return {
    data: resolve(base, raw.data),
    logLevel: raw.logLevel,
    mqtt: {
      ...mqttAddress,
      users: mqtt.users,
      connectionsMax: mqtt.connectionsMax,
      packetBytesMax,
      keepAliveSecondsMax,
      connectTimeoutMs,
      tls: tls && {
        ...tls,
        certificate: absolute(tls.certificate),
        key: absolute(tls.key),
        clientCa: tls.clientCa === undefined ? undefined : absolute(tls.clientCa),
      },
      broker:
        mqtt.broker &&
        checkBroker(
          mqtt.broker,
          { packetBytesMax, connectTimeoutMs, data: resolve(base, raw.data) },
          absolute,
          fail,
        ),
    },
    http: address(raw.http.listen, 'http.listen'),
    log: checkLog(log, absolute, fail),
    ingest: {
      bytesMax: byteCount(ingest.queueSize),
      messagesMax: ingest.queueMessages,
      only: ingest.only,
    },
    names: { newStreamsPerDay: ingest.newStreams, gatewaysMax: ingest.gateways },
    rollups: { bytesMax: byteCount(raw.rollups.budget), signals: raw.rollups.signals },
    columns: { bytesMax: byteCount(raw.columns.budget) },
    retention: checkRetention(raw.retention, fail),
    disk: { minFreeBytes: byteCount(raw.disk.minFree) },
  };
}

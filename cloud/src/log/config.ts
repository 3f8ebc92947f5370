import { hostname } from 'node:os';
import { readFileSync } from 'node:fs';
import { Type, type Static } from '@fleetlog/shared/schema';
import { byteCount, Bytes } from '@fleetlog/shared/config';
import type { KafkaAddress } from './kafka/cluster.js';
import type { TopicOptions } from './kafka/topics.js';

const closed = { additionalProperties: false };

export const LogSchema = Type.Object(
  {
    kind: Type.Union([Type.Literal('rocksdb'), Type.Literal('kafka')], {
      default: 'rocksdb',
      description: 'rocksdb: in the data folder; kafka: in a topic of Apache Kafka 3.6 or newer',
    }),
    partitions: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1024,
        description: 'Partitions of a new log (8 without it); fixed from then on',
      }),
    ),
    writeBuffer: Bytes('Memory for batches before they go to table files', '32MiB'),
    brokers: Type.Optional(
      Type.Array(Type.String({ pattern: '^[^\\s:]+:[0-9]+$' }), {
        minItems: 1,
        description: 'HOST:PORT of some brokers of Kafka; they tell the others',
      }),
    ),
    topic: Type.String({
      pattern: '^[a-zA-Z0-9._-]{1,200}$',
      default: 'fleetlog',
      description: 'Of the batches; NAME-notes is for what belongs to them. Made where it is missing',
    }),
    replicas: Type.Integer({
      minimum: 1,
      maximum: 16,
      default: 1,
      description: 'Copies of a new topic; from 3 on two must have a batch before it is acknowledged',
    }),
    shared: Type.Boolean({
      default: false,
      description: 'Several clouds write to the topic, each its share of the partitions; needs "mqtt.broker"',
    }),
    username: Type.Optional(Type.String({ minLength: 1 })),
    password: Type.Optional(Type.String({ minLength: 1, description: 'Or FLEETLOG_KAFKA_PASSWORD' })),
    mechanism: Type.Union(
      [Type.Literal('PLAIN'), Type.Literal('SCRAM-SHA-256'), Type.Literal('SCRAM-SHA-512')],
      { default: 'SCRAM-SHA-512', description: 'How the password is shown (SASL)' },
    ),
    tls: Type.Optional(
      Type.Object(
        {
          ca: Type.Optional(Type.String({ description: "Authorities of the brokers' certificates, PEM" })),
          certificate: Type.Optional(Type.String({ description: "The cloud's certificate, PEM" })),
          key: Type.Optional(Type.String({ description: 'Its key, PEM' })),
        },
        closed,
      ),
    ),
  },
  { ...closed, default: {} },
);

export type LogConfig =
  | { kind: 'rocksdb'; partitions: number | undefined; writeBufferBytes: number }
  | ({ kind: 'kafka' } & KafkaAddress & TopicOptions);

/** `fail` throws with the complaint. Errors: FLEETLOG_CONFIG, those of reading the certificates. */
export function checkLog(
  log: Static<typeof LogSchema>,
  absolute: (path: string) => string,
  fail: (complaint: string) => never,
): LogConfig {
  const { brokers, username, password, mechanism, tls, partitions, topic, replicas, shared } = log;
  if (log.kind === 'rocksdb') {
    if (shared) fail('"log.shared" is for "log.kind: kafka".');
    for (const key of ['brokers', 'username', 'password', 'tls'] as const) {
      if (log[key] !== undefined) fail(`"log.${key}" is for "log.kind: kafka".`);
    }
    const writeBufferBytes = byteCount(log.writeBuffer);
    if (writeBufferBytes < 64 * 1024) fail('"log.writeBuffer" must be at least 64KiB.');
    return { kind: 'rocksdb', partitions, writeBufferBytes };
  }
  if (!brokers) return fail('"log.kind: kafka" needs "log.brokers", a list of HOST:PORT.');
  if ((username === undefined) !== (password === undefined)) {
    fail('"log.username" and the password (log.password, FLEETLOG_KAFKA_PASSWORD) go together.');
  }
  const pem = (path: string | undefined): Buffer | undefined =>
    path === undefined ? undefined : readFileSync(absolute(path));
  return {
    kind: 'kafka',
    brokers,
    clientId: `fleetlog-cloud-${hostname()}`,
    topic,
    partitions,
    replicas,
    shared,
    ...(username !== undefined && password !== undefined && { sasl: { mechanism, username, password } }),
    ...(tls && { tls: { ca: pem(tls.ca), cert: pem(tls.certificate), key: pem(tls.key) } }),
  };
}

import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { Type, type Static } from '@fleetlog/shared/schema';
import { Duration, durationMs } from '@fleetlog/shared/config';
import type { BrokerClientOptions } from './broker-client.js';

/** A second listener, with TLS. */
export const TlsSchema = Type.Object(
  {
    listen: Type.String({ default: '127.0.0.1:8883', description: 'HOST:PORT; port 0 takes a free one' }),
    certificate: Type.String({
      minLength: 1,
      description: "The broker's certificate, and those between it and the authority, PEM",
    }),
    key: Type.String({ minLength: 1, description: 'Its key, PEM' }),
    clientCa: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          "Authorities of gateways' certificates, PEM: each gateway shows one whose common name is its id",
      }),
    ),
  },
  { additionalProperties: false },
);

/** A broker beside the cloud, in the place of the embedded one. */
export const BrokerSchema = Type.Object(
  {
    url: Type.String({ description: 'mqtt://HOST:PORT or mqtts://HOST:PORT; it must speak MQTT 5' }),
    username: Type.Optional(Type.String({ minLength: 1 })),
    password: Type.Optional(Type.String({ minLength: 1 })),
    tls: Type.Optional(
      Type.Object(
        {
          ca: Type.Optional(Type.String({ description: "Authorities of the broker's certificate, PEM" })),
          certificate: Type.Optional(Type.String({ description: "The cloud's certificate, PEM" })),
          key: Type.Optional(Type.String({ description: 'Its key, PEM' })),
        },
        { additionalProperties: false },
      ),
    ),
    clientId: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        description: 'Of the durable session; by default from the host and the data folder',
      }),
    ),
    group: Type.String({
      pattern: '^[a-zA-Z0-9_-]{1,64}$',
      default: 'fleetlog',
      description: 'Ingest processes of one group share the batches',
    }),
    receiveMax: Type.Integer({
      minimum: 1,
      maximum: 65_535,
      default: 256,
      description: 'Messages under way from the broker',
    }),
    session: Duration('How long the broker keeps what comes while this process is away', '1h'),
    keepAlive: Duration('Silence after which the connection is probed', '30s'),
  },
  { additionalProperties: false },
);

/** One for each data folder: two clouds may run on one machine, and a broker ends the older of two with one name. */
const clientIdOf = (data: string): string => {
  const folder = createHash('sha256').update(data).digest('hex').slice(0, 8);
  return `fleetlog-cloud-${folder}-${hostname()}`.slice(0, 64);
};

/** `fail` throws with the complaint. Errors: FLEETLOG_CONFIG. */
export function checkBroker(
  broker: Static<typeof BrokerSchema>,
  { data, ...limits }: { packetBytesMax: number; connectTimeoutMs: number; data: string },
  absolute: (path: string) => string,
  fail: (complaint: string) => never,
): BrokerClientOptions {
  const url = URL.parse(broker.url);
  if (!url || !['mqtt:', 'mqtts:'].includes(url.protocol) || url.hostname === '' || url.username !== '') {
    fail(
      `"mqtt.broker.url" is "${broker.url}"; it must be like mqtt://HOST:1883 or mqtts://HOST:8883, without a user.`,
    );
  }
  const keepAliveMs = durationMs(broker.keepAlive);
  if (keepAliveMs < 10_000 || keepAliveMs > 3_600_000)
    fail('"mqtt.broker.keepAlive" must be from 10s to 1h.');
  return {
    url: broker.url,
    username: broker.username,
    password: broker.password,
    tls: Object.fromEntries(Object.entries(broker.tls ?? {}).map(([name, path]) => [name, absolute(path)])),
    clientId: broker.clientId ?? clientIdOf(data),
    group: broker.group,
    receiveMax: broker.receiveMax,
    ...limits,
    keepAliveMs,
    sessionSeconds: Math.round(durationMs(broker.session) / 1000),
  };
}

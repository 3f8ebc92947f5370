import { connect as connectTcp, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { connect as connectMqtt, MqttClient, type IClientOptions } from 'mqtt';
import { readTlsFiles, type TlsFiles } from '@fleetlog/shared/tls';

export interface TlsOptions extends TlsFiles {
  /** Name that the broker's certificate must have; the URL's host without it. */
  serverName?: string | undefined;
}

export interface Dialled {
  /** What MQTT, or a WebSocket below it, is spoken on. */
  stream: Duplex;
  /** Below TLS: its counters are those of the wire. */
  wire: Socket;
}

/** Where a URL names no port. */
const ports: Record<string, number> = { 'mqtt:': 1883, 'mqtts:': 8883, 'ws:': 80, 'wss:': 443 };

export const portOf = (url: URL): number => Number(url.port || ports[url.protocol]);

/** Begins a connection to a `mqtt:`, `mqtts:`, `ws:` or `wss:` URL. Files are read each time: they may be renewed. */
export function dial(url: URL, tls: TlsOptions): Dialled {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isPlain = url.protocol === 'mqtt:' || url.protocol === 'ws:';
  const material = isPlain ? undefined : readTlsFiles(tls, 'uplink.tls');
  const wire = connectTcp({ host, port: portOf(url), noDelay: true });
  if (!material) return { stream: wire, wire };
  const name = tls.serverName ?? host;
  const stream = connectTls({
    socket: wire,
    ...material,
    // An address isn't a name to ask for (RFC 6066, section 3), but the certificate must still be for it.
    ...(isIP(name) === 0 ? { servername: name } : { host: name }),
  });
  wire.on('error', (error) => stream.destroy(error));
  return { stream, wire };
}

/** MQTT on a connection that was dialled: with a WebSocket between where the URL says so. */
export function speakMqtt(url: URL, stream: Duplex, options: IClientOptions): MqttClient {
  // mqtt.js would dial itself, and nobody could count the bytes.
  if (url.protocol.startsWith('ws'))
    return connectMqtt(url.href, { ...options, wsOptions: { createConnection: () => stream } });
  return new MqttClient(() => stream as never, options); // typed as readable-stream's
}

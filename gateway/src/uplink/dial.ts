import { connect as connectTcp, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { readTlsFiles, type TlsFiles } from '@fleetlog/shared/tls';

export interface TlsOptions extends TlsFiles {
  /** Name that the broker's certificate must have; the URL's host without it. */
  serverName?: string | undefined;
}

export interface Dialled {
  /** What MQTT is spoken on. */
  stream: Duplex;
  /** Below TLS: its counters are those of the wire. */
  wire: Socket;
}

/** Begins a connection to an `mqtt:` or `mqtts:` URL. The files are read each time, so that they may be renewed. */
export function dial(url: URL, tls: TlsOptions): Dialled {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol === 'mqtt:') {
    const wire = connectTcp({ host, port: Number(url.port || 1883), noDelay: true });
    return { stream: wire, wire };
  }
  const material = readTlsFiles(tls, 'uplink.tls');
  const wire = connectTcp({ host, port: Number(url.port || 8883), noDelay: true });
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

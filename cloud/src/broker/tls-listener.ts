import { createServer, type Server, type TLSSocket } from 'node:tls';
import { isGatewayId } from '@fleetlog/shared/batch';
import { readTlsFiles } from '@fleetlog/shared/tls';
import type { MessageSink } from './broker.js';
import type { ListenAddress } from '../listen.js';

/** Where gateways connect by TLS; files in PEM. */
export interface TlsListener extends ListenAddress {
  certificate: string;
  key: string;
  /** Authorities of gateways' certificates; where given, a gateway must show one, and its password isn't asked for. */
  clientCa: string | undefined;
}

/** Failed handshakes are counted. Errors: FLEETLOG_CONFIG for a file that can't be used. */
export function createTlsListener(
  { certificate, key, clientCa }: TlsListener,
  handshakeTimeout: number,
  sink: MessageSink,
): Server {
  const server = createServer({
    ...readTlsFiles({ certificate, key, ca: clientCa }, 'mqtt.tls'),
    requestCert: clientCa !== undefined,
    // Node would end such connections without a word; the login refuses them with an answer, and counts them.
    rejectUnauthorized: false,
    handshakeTimeout,
    noDelay: true,
    keepAlive: true,
  });
  server.on('tlsClientError', (error, socket) => {
    socket.destroy();
    sink.refuse('FLEETLOG_LOGIN', `no TLS connection came about: ${error.message}`, {
      from: socket.remoteAddress,
    });
  });
  return server;
}

/**
 * The gateway that a certificate is of, by its common name, or why there is none. `username`: who the client says that
 * it is.
 */
export function gatewayOfCertificate(
  socket: TLSSocket,
  username: string | undefined,
): { gateway: string; refusal?: never } | { gateway?: never; refusal: string } {
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  if (name === undefined) return { refusal: 'no certificate was shown' };
  if (!socket.authorized) {
    return { refusal: `the certificate isn't accepted (${String(socket.authorizationError)})` };
  }
  if (!isGatewayId(name)) return { refusal: "the certificate's common name isn't a gateway's id" };
  if (username !== undefined && username !== name) return { refusal: `the certificate is of "${name}"` };
  return { gateway: name };
}

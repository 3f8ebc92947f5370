import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { isFleetlogError, systemCode } from '@fleetlog/shared/errors';
import type { GatewayConfig } from '../config.js';
import { dial, portOf, speakMqtt } from '../uplink/dial.js';
import { unreachable } from '../uplink/mqtt-link.js';
import { Findings, type Finding } from './finding.js';

const STEP_MS = 10_000;

/** The way to the cloud, step by step: name, connection, TLS, login. It publishes nothing and has no last will. */
export async function checkCloud({ gateway, uplink }: GatewayConfig): Promise<Finding[]> {
  const findings = new Findings('cloud');
  const url = new URL(uplink.url);
  const isTls = url.protocol === 'mqtts:' || url.protocol === 'wss:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!(await resolves(host, findings))) return findings.list;
  if (!(await connects(host, portOf(url), findings))) return findings.list;
  const options = { url: uplink.url, username: gateway, tls: uplink.tls };
  let stream: Duplex;
  try {
    stream = dial(url, uplink.tls).stream;
  } catch (error) {
    if (!isFleetlogError(error)) throw error;
    findings.wrong(error.message);
    return findings.list;
  }
  stream.on('error', () => undefined); // also behind the answer
  try {
    await inTime(once(stream, isTls ? 'secureConnect' : 'connect'));
    if (isTls) findings.fine(certificateOf(stream as TLSSocket));
    await logsIn(url, stream, gateway, uplink);
    findings.fine(`The cloud takes the gateway "${gateway}" in.`);
  } catch (error) {
    const failure = error as Error;
    findings.wrong(unreachable(options, failure.message, failure, new Date()).message);
  } finally {
    stream.destroy();
  }
  return findings.list;
}

async function resolves(host: string, findings: Findings): Promise<boolean> {
  if (isIP(host) !== 0) return true;
  try {
    const addresses = await inTime(lookup(host, { all: true }));
    findings.fine(`${host} is ${addresses.map(({ address }) => address).join(', ')}.`);
    return true;
  } catch (error) {
    const why = systemCode(error) ?? (error as Error).message;
    findings.wrong(
      `The name ${host} can't be resolved (${why}).`,
      `getent hosts ${host}; cat /etc/resolv.conf`,
    );
    return false;
  }
}

async function connects(host: string, port: number, findings: Findings): Promise<boolean> {
  const socket: Socket = connect({ host, port });
  try {
    await inTime(once(socket, 'connect'));
    findings.fine(`${host}:${port} takes connections.`);
    return true;
  } catch (error) {
    const why = systemCode(error) ?? (error as Error).message;
    const what = {
      ECONNREFUSED: 'nothing listens there: the cloud is down, or the port is another',
      ENETUNREACH: 'this machine has no network',
      EHOSTUNREACH: 'there is no way to it',
    }[why];
    findings.wrong(
      `${host}:${port} takes no connection (${why})${what ? `; ${what}` : '; a firewall may be between'}.`,
      why === 'ENETUNREACH' ? 'ip route; nmcli device' : `nc -vz ${host} ${port}`,
    );
    return false;
  } finally {
    socket.destroy();
  }
}

function certificateOf(stream: TLSSocket): string {
  const { valid_to: until } = stream.getPeerCertificate();
  return `TLS comes about (${stream.getProtocol() ?? 'TLS'}); the cloud's certificate is right until ${until}.`;
}

async function logsIn(
  url: URL,
  stream: Duplex,
  gateway: string,
  uplink: GatewayConfig['uplink'],
): Promise<void> {
  // The running gateway has another client id: it isn't thrown out.
  const client = speakMqtt(url, stream, {
    clientId: `fleetlog-doctor-${gateway}`,
    username: gateway,
    ...(uplink.password !== undefined && { password: uplink.password }),
    protocolVersion: uplink.protocol === '5' ? 5 : 4,
    clean: true,
    reconnectPeriod: 0,
    connectTimeout: STEP_MS,
  });
  const outcome = Promise.withResolvers<void>();
  client.on('connect', () => outcome.resolve());
  client.on('error', (error) => outcome.reject(error));
  stream.on('error', (error) => outcome.reject(error));
  client.on('close', () => outcome.reject(new Error('it closed the connection without an answer')));
  try {
    await inTime(outcome.promise);
    await client.endAsync();
  } finally {
    client.end(true);
  }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error('no answer in time')), STEP_MS);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

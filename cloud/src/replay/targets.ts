import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { connectAsync } from 'mqtt';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import { fillLengthCache } from '@fleetlog/shared/mqtt';

/** Where replayed records go. */
export interface ReplayTarget {
  /** Undefined where there is room for more at once. Errors: FLEETLOG_UNREACHABLE, EPIPE. */
  send(line: string): Promise<void> | undefined;
  /** All that was sent is on its way. */
  close(): Promise<void>;
}

/**
 * `candump:-` (stdout) or `candump:FILE`; `udp://HOST:PORT`, a datagram for each record; `mqtt://HOST:PORT/PREFIX`, a
 * message for each, on PREFIX/gateway/stream (`place`, where records name neither); `can0`, `vcan0`, by canplayer of can-utils.
 * Errors: FLEETLOG_UNREACHABLE, FLEETLOG_USAGE.
 */
export async function openTarget(
  target: string,
  { stdout, place }: { stdout: Writable; place?: string | undefined },
): Promise<ReplayTarget> {
  if (target === 'candump:-') return streamTarget(stdout, (line) => `${line}\n`);
  if (target.startsWith('candump:')) {
    const file = createWriteStream(target.slice('candump:'.length));
    await once(file, 'open').catch((cause: unknown) => {
      throw new FleetlogError('FLEETLOG_USAGE', `${target} can't be written (${systemCode(cause)}).`, {
        cause,
      });
    });
    return streamTarget(
      file,
      (line) => `${line}\n`,
      () => file.end(),
    );
  }
  if (target.startsWith('udp:')) return udpTarget(new URL(target));
  if (target.startsWith('mqtt')) return mqttTarget(new URL(target), place);
  return canTarget(target);
}

function streamTarget(stream: Writable, text: (line: string) => string, end?: () => void): ReplayTarget {
  let failure: Error | undefined;
  stream.on('error', (error) => (failure ??= error));
  return {
    send: (line) => {
      if (failure) throw failure;
      return stream.write(text(line)) ? undefined : once(stream, 'drain').then(() => undefined);
    },
    close: async () => {
      const closed = end && once(stream, 'close');
      await new Promise<void>((resolve) => stream.write('', () => resolve()));
      end?.();
      await closed;
      if (failure) throw failure;
    },
  };
}

function udpTarget({ hostname, port }: URL): ReplayTarget {
  if (port === '') throw new FleetlogError('FLEETLOG_USAGE', 'Say which port: udp://HOST:PORT.');
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  let left = 0;
  let wake = (): void => {};
  // Nobody listens: datagrams are lost, as they may be anyway.
  socket.on('error', () => undefined);
  return {
    send: (line) => {
      left++;
      socket.send(line, Number(port), host, () => {
        left--;
        wake();
      });
      if (left < 1000) return undefined;
      return new Promise((resolve) => (wake = resolve));
    },
    close: async () => {
      while (left > 0) await new Promise<void>((resolve) => (wake = resolve));
      socket.close();
    },
  };
}

const places = /^\{"gateway":"([^"]+)","stream":"([^"]+)"/;

async function mqttTarget(url: URL, place = ''): Promise<ReplayTarget> {
  fillLengthCache();
  const prefix = decodeURIComponent(url.pathname.slice(1)) || 'fleetlog/replay';
  url.pathname = '';
  const client = await connectAsync(url.href, { reconnectPeriod: 0, connectTimeout: 10_000 }).catch(
    (cause: unknown) => {
      throw new FleetlogError(
        'FLEETLOG_UNREACHABLE',
        `No broker answers at ${url.host} (${systemCode(cause) ?? String(cause)}); start one, or choose another --to.`,
        { cause },
      );
    },
  );
  let failure: Error | undefined;
  client.on('error', (error) => (failure ??= error));
  client.on(
    'close',
    () => (failure ??= new FleetlogError('FLEETLOG_INTERRUPTED', `The broker at ${url.host} is gone.`)),
  );
  return {
    send: (line) => {
      if (failure) throw failure;
      const [, gateway, stream] = places.exec(line) ?? [];
      const topic = `${prefix}/${gateway === undefined ? place : `${gateway}/${stream}`}`;
      // The socket's own buffer bounds what waits; its drain is the client's.
      const taken = client.publishAsync(topic, line, { qos: 0 });
      if (!client.stream.writableNeedDrain) {
        taken.catch((error: Error) => (failure ??= error));
        return undefined;
      }
      return taken.then(() => undefined);
    },
    close: async () => {
      client.removeAllListeners('close');
      await client.endAsync();
    },
  };
}

/** canplayer sends at once what it reads (-t); the pace is ours. */
function canTarget(name: string): ReplayTarget {
  const player = spawn('canplayer', ['-t'], { stdio: ['pipe', 'ignore', 'pipe'] });
  let trouble = '';
  player.stderr.on('data', (chunk: Buffer) => (trouble += chunk.toString().slice(0, 300)));
  const ended = new Promise<void>((resolve, reject) => {
    player.on('error', () =>
      reject(
        new FleetlogError(
          'FLEETLOG_PLATFORM',
          `To replay to ${name}, install can-utils (apt install can-utils).`,
        ),
      ),
    );
    player.on('close', (code) => {
      if (code === 0) return resolve();
      reject(
        new FleetlogError(
          'FLEETLOG_USAGE',
          `canplayer can't send to ${name}: ${trouble.trim() || `status ${code}`}.`,
        ),
      );
    });
  });
  ended.catch(() => undefined); // told by close
  const target = streamTarget(
    player.stdin,
    (line) => `${line.replace(/^(\(\S+\)) \S+/, `$1 ${name}`)}\n`,
    () => player.stdin.end(),
  );
  return {
    send: (line) => (player.exitCode === null ? target.send(line) : ended),
    close: async () => {
      await Promise.race([target.close(), ended.catch(() => undefined)]).catch(() => undefined); // ended says why
      await ended;
    },
  };
}

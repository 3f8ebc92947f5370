import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FleetlogError } from '@fleetlog/shared/errors';
import { parseTime } from '../api/time.js';
import { isoMicros } from '../export/iso-time.js';
import { formatAddress, listen, type ListenAddress } from '../listen.js';
import type { Replay } from './replay.js';

const actions = ['pause', 'resume', 'seek'] as const;
type Action = (typeof actions)[number];

/**
 * What a keyboard does, for programs: `GET /` tells how the replay is, `POST /pause`, `/resume`, `/seek?to=TIME` and
 * `/seek?by=SECONDS` change it and answer as that. TIME is an event time, as in `--from`.
 */
export class ReplayControl implements AsyncDisposable {
  private constructor(
    readonly address: ListenAddress,
    private readonly close: () => Promise<void>,
  ) {}

  /** Errors: FLEETLOG_PORT_TAKEN, FLEETLOG_CONFIG for an address that isn't ours. */
  static async listen(replay: Replay, at: ListenAddress, nowUs: () => number): Promise<ReplayControl> {
    const server = createServer((request, response) => answer(replay, nowUs, request, response));
    await listen(server, at.host, at.port, '--control');
    const { address: host, port } = server.address() as AddressInfo;
    return new ReplayControl({ host, port }, async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
  }

  get url(): string {
    return `http://${formatAddress(this.address)}`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function answer(
  replay: Replay,
  nowUs: () => number,
  { method, url = '/' }: IncomingMessage,
  response: ServerResponse,
): void {
  const { pathname, searchParams } = new URL(url, 'http://replay');
  const action = actions.find((name) => pathname === `/${name}`);
  const send = (status: number, body: object): void => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(body)}\n`);
  };
  if (pathname !== '/' && !action) {
    return send(404, { message: `There is GET /, and POST /${actions.join(', /')}.` });
  }
  if (method !== (action ? 'POST' : 'GET')) {
    return send(405, { message: `Use ${action ? 'POST' : 'GET'}.` });
  }
  try {
    if (action) change(replay, action, searchParams, nowUs());
  } catch (error) {
    if (!(error instanceof FleetlogError)) throw error;
    return send(400, { code: error.code, message: error.message });
  }
  send(200, stateOf(replay));
}

function change(replay: Replay, action: Action, parameters: URLSearchParams, nowUs: number): void {
  if (action === 'pause') replay.pacer.pause();
  else if (action === 'resume') replay.pacer.resume();
  else replay.seek(sought(replay.positionUs, parameters, nowUs));
}

function sought(positionUs: number, parameters: URLSearchParams, nowUs: number): number {
  const to = parameters.get('to');
  if (to !== null) return parseTime(to, nowUs);
  const by = Number(parameters.get('by') ?? NaN);
  if (Number.isFinite(by)) return positionUs + Math.round(by * 1e6);
  throw new FleetlogError('FLEETLOG_USAGE', 'Say where to: /seek?to=TIME, or /seek?by=SECONDS.');
}

const stateOf = ({ pacer, positionUs, sent }: Replay): object => ({
  state: pacer.isPaused ? 'paused' : 'playing',
  ...(sent > 0 && { position: isoMicros(positionUs) }),
  records: sent,
  pacingErrorMs: {
    p50: pacer.error.quantileMs(0.5),
    p99: pacer.error.quantileMs(0.99),
    max: pacer.error.maxMs,
  },
});

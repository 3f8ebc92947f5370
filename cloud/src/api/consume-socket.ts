import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { WebSocketServer, type WebSocket } from 'ws';
import { FleetlogError, isFleetlogError } from '@fleetlog/shared/errors';
import { fits, Type, type Static } from '@fleetlog/shared/schema';
import { Signal } from '@fleetlog/shared/util';
import type { Joined } from '../consumers/groups.js';
import type { ConsumerEvent, Positions } from '../consumers/types.js';
import type { ConsumeFormatter } from './consume-format.js';

const messageBytesMax = 64 * 1024;
const keepAliveMs = 30_000;

/** What a client says: how far it is, and how many batches more it has room for. */
const ClientMessage = Type.Object(
  {
    commit: Type.Optional(Type.Record(Type.String({ pattern: '^\\d{1,4}$' }), Type.Integer({ minimum: 0 }))),
    credit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  },
  { additionalProperties: false },
);

/** RFC 6455, 7.4.1: the client broke the rules; something of ours went wrong. */
const closeCodes = { policy: 1008, failed: 1011 } as const;

interface Upgrade {
  socket: Duplex;
  head: Buffer;
}

export interface SocketOptions {
  joined: Joined;
  formatter: ConsumeFormatter;
  isText: boolean;
  /** Batches that may be sent before the client gives credit; undefined: as many as its connection takes. */
  credit: number | undefined;
  commit: (positions: Positions) => Promise<number[]>;
  /** A client that takes nothing for so long is dropped. */
  idleMs: number;
  clientGone: AbortController;
}

/** Requests of the API that become WebSockets (RFC 6455): they pass its routes as any other, so that errors are plain answers. */
export class SocketUpgrades {
  private readonly server = new WebSocketServer({ noServer: true, maxPayload: messageBytesMax });
  private readonly waiting = new WeakMap<IncomingMessage, Upgrade>();

  constructor(app: FastifyInstance) {
    app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy());
      this.waiting.set(request, { socket, head });
      const response = new ServerResponse(request);
      response.shouldKeepAlive = false;
      response.on('finish', () => socket.end());
      response.assignSocket(socket as never);
      app.routing(request, response);
    });
    app.addHook('preClose', () => {
      for (const client of this.server.clients) client.terminate();
    });
  }

  /** Whether the client asked for a WebSocket. Errors: FLEETLOG_USAGE where a page of another site did. */
  isAsked({ raw, headers }: FastifyRequest): boolean {
    if (!this.waiting.has(raw)) return false;
    const { origin, host } = headers;
    if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host)) {
      throw new FleetlogError('FLEETLOG_USAGE', 'A page of another site may not read the log.');
    }
    return true;
  }

  /** Sends events as messages of whole lines or items, until one side ends. */
  async serve(request: FastifyRequest, reply: FastifyReply, options: SocketOptions): Promise<void> {
    const { socket, head } = this.waiting.get(request.raw) as Upgrade;
    reply.hijack();
    reply.raw.detachSocket(socket as never);
    const client = await new Promise<WebSocket>((resolve) =>
      this.server.handleUpgrade(request.raw, socket, head, resolve),
    );
    request.raw.socket.setKeepAlive(true, keepAliveMs); // one that is half open is noticed
    await new ConsumerSocket(client, options).run();
  }
}

class ConsumerSocket {
  private readonly granted = new Signal();
  private credit: number;

  constructor(
    private readonly client: WebSocket,
    private readonly options: SocketOptions,
  ) {
    this.credit = options.credit ?? Infinity;
    const { clientGone } = options;
    const gone = (): void =>
      clientGone.abort(new FleetlogError('FLEETLOG_INTERRUPTED', 'The client is gone.'));
    client.on('close', gone);
    client.on('error', gone);
    client.on('message', (data: Buffer) => void this.heard(data.toString()));
  }

  async run(): Promise<void> {
    const { joined, formatter, isText, clientGone } = this.options;
    try {
      for await (const page of joined.events) {
        for await (const events of this.withinCredit(page)) {
          for await (const chunk of formatter.format(events)) await this.send(chunk, !isText);
        }
      }
      this.client.close();
    } catch (error) {
      if (!clientGone.signal.aborted) this.end(error);
    } finally {
      await joined.events.return(undefined);
    }
  }

  /** The page in parts, each of which the client has room for. */
  private async *withinCredit(page: readonly ConsumerEvent[]): AsyncGenerator<readonly ConsumerEvent[]> {
    let from = 0;
    for (const [i, { event }] of page.entries()) {
      if (event !== 'batch') continue;
      if (this.credit <= 0) {
        if (i > from) yield page.slice(from, i);
        from = i;
        while (this.credit <= 0) await this.granted.wait(this.options.clientGone.signal);
      }
      this.credit--;
    }
    yield page.slice(from);
  }

  /** Resolves when the connection has taken it. */
  private async send(data: Uint8Array | string, binary: boolean): Promise<void> {
    const { client, options } = this;
    const idle = setTimeout(() => client.terminate(), options.idleMs);
    try {
      await new Promise<void>((resolve, reject) =>
        client.send(data, { binary }, (error) => (error ? reject(error) : resolve())),
      );
    } finally {
      clearTimeout(idle);
    }
  }

  private async heard(text: string): Promise<void> {
    try {
      const { credit = 0, commit } = readMessage(text);
      if (credit > 0) {
        this.credit += credit;
        this.granted.set();
      }
      if (!commit) return;
      const next = new Map(Object.entries(commit).map(([partition, at]) => [Number(partition), at]));
      const refused = await this.options.commit(next);
      await this.send(JSON.stringify({ event: 'committed', next: commit, refused }), false);
    } catch (error) {
      if (!this.options.clientGone.signal.aborted) this.end(error);
    }
  }

  private end(error: unknown): void {
    const isTheirs = isFleetlogError(error) && error.class === 'usage';
    const reason = error instanceof Error ? error.message : String(error);
    // 125 bytes at most, two of which are the code.
    const shown = Buffer.from(reason)
      .subarray(0, 120)
      .toString()
      .replace(/\uFFFD$/, '');
    this.client.close(isTheirs ? closeCodes.policy : closeCodes.failed, shown);
  }
}

function readMessage(text: string): Static<typeof ClientMessage> {
  try {
    const value: unknown = JSON.parse(text);
    if (fits(ClientMessage, value)) return value;
  } catch {
    // the sentence below says what there is to say
  }
  throw new FleetlogError('FLEETLOG_USAGE', 'Send {"commit": {PARTITION: NEXT}} or {"credit": BATCHES}.');
}

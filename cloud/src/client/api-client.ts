import http from 'node:http';
import https from 'node:https';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';

/** Several values of a name are sent one by one. */
export type Query = Record<string, string | readonly string[] | undefined>;

/** An answer that streams. */
export interface ApiStream {
  /** Errors: FLEETLOG_INTERRUPTED where the connection broke before the answer was whole. */
  chunks: AsyncIterable<Uint8Array>;
  /** Batches that the cloud hadn't indexed yet, which the answer may lack. */
  indexLag: number;
  headers: http.IncomingHttpHeaders;
  /** After the last chunk: what a file should begin with, instead of its first bytes. */
  finalHead: () => Uint8Array | undefined;
  /** Headers that followed the last chunk, once that was read. */
  trailers: () => Partial<Record<string, string>>;
}

interface RequestOptions {
  method: 'GET' | 'POST' | 'DELETE';
  content?: Uint8Array | undefined;
  contentType?: string;
  silenceMsMax: number;
  signal?: AbortSignal | undefined;
}

const jsonBytesMax = 256 * 1024 * 1024;

/** Speaks with the cloud's HTTP API. */
export class ApiClient {
  private readonly base: URL;

  /** Errors: FLEETLOG_USAGE where `url` isn't one. */
  constructor(url: string) {
    const base = URL.canParse(url) ? new URL(url) : undefined;
    if (!base || !['http:', 'https:'].includes(base.protocol)) {
      throw new FleetlogError('FLEETLOG_USAGE', `"${url}" isn't the URL of a cloud; write http://HOST:PORT.`);
    }
    this.base = base;
  }

  /** Errors: FLEETLOG_UNREACHABLE, FLEETLOG_INTERRUPTED, what the cloud answers. */
  async json<T>(path: string, query: Query = {}): Promise<{ body: T; indexLag: number }> {
    const { chunks, indexLag } = await this.stream(path, query, { silenceMsMax: 30_000 });
    return { body: this.parsed<T>(await text(chunks)), indexLag };
  }

  /** Asks for a change. Errors: as `json`. */
  async change<T>(method: 'POST' | 'DELETE', path: string, query: Query, content?: Uint8Array): Promise<T> {
    const response = await this.request(path, query, { method, content, silenceMsMax: 60_000 });
    return this.parsed<T>(await text(await this.answer(response)));
  }

  /** Posts a JSON body. Errors: as `json`. */
  async post<T>(path: string, body: object, signal?: AbortSignal): Promise<T> {
    const content = Buffer.from(JSON.stringify(body));
    const options = { content, contentType: 'application/json', silenceMsMax: 30_000, signal };
    return this.parsed<T>(
      await text(await this.answer(await this.request(path, {}, { method: 'POST', ...options }))),
    );
  }

  private parsed<T>(body: string): T {
    try {
      return JSON.parse(body) as T;
    } catch (cause) {
      throw new FleetlogError(
        'FLEETLOG_UNREACHABLE',
        `What answers at ${this.base.origin} isn't a Fleetlog cloud; say where it is with --url or FLEETLOG_URL.`,
        { cause },
      );
    }
  }

  /** Errors: as `json`. The signal ends the answer quietly. */
  async stream(
    path: string,
    query: Query,
    { silenceMsMax, signal }: { silenceMsMax: number; signal?: AbortSignal },
  ): Promise<ApiStream> {
    const response = await this.request(path, query, { method: 'GET', silenceMsMax, signal });
    const chunks = await this.answer(response, signal);
    const finalHead = (): Uint8Array | undefined => {
      const head = response.trailers['fleetlog-head'];
      return head === undefined ? undefined : Buffer.from(head, 'base64');
    };
    return {
      chunks,
      indexLag: Number(response.headers['fleetlog-index-lag'] ?? 0),
      headers: response.headers,
      trailers: () => response.trailers,
      finalHead,
    };
  }

  private async answer(
    response: http.IncomingMessage,
    signal?: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    const chunks = this.read(response, signal);
    if (response.statusCode !== 200) throw answerError(response.statusCode ?? 0, await text(chunks));
    return chunks;
  }

  private request(
    path: string,
    query: Query,
    { method, content, contentType, silenceMsMax, signal }: RequestOptions,
  ): Promise<http.IncomingMessage> {
    const url = new URL(this.base);
    url.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
    for (const [name, value] of Object.entries(query)) {
      if (value === undefined) continue;
      for (const one of [value].flat()) url.searchParams.append(name, one);
    }
    const { request: open } = url.protocol === 'https:' ? https : http;
    const headers = content && { 'content-type': contentType ?? 'application/octet-stream' };
    return new Promise((resolve, reject) => {
      const options = { method, agent: false, ...(headers && { headers }), ...(signal && { signal }) };
      const request = open(url, options, resolve);
      request.setTimeout(silenceMsMax, () => request.destroy(new Error('no answer in time')));
      request.on('error', (error) => reject(signal?.aborted ? error : this.unreachable(error)));
      request.end(content);
    });
  }

  private async *read(response: http.IncomingMessage, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of response) yield chunk as Uint8Array;
    } catch (cause) {
      if (signal?.aborted) return;
      throw new FleetlogError(
        'FLEETLOG_INTERRUPTED',
        `The connection to the cloud at ${this.base.origin} broke before the answer was complete.`,
        { cause },
      );
    }
  }

  private unreachable(cause: Error): FleetlogError {
    return new FleetlogError(
      'FLEETLOG_UNREACHABLE',
      `No cloud answers at ${this.base.origin} (${systemCode(cause) ?? cause.message}); start one with ` +
        '"fleetlog-cloud --data DIR", or say where it is with --url or FLEETLOG_URL.',
      { cause },
    );
  }
}

async function text(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    bytes += chunk.length;
    if (bytes > jsonBytesMax)
      throw new FleetlogError('FLEETLOG_INTERRUPTED', "The cloud's answer is too large.");
  }
  return Buffer.concat(parts).toString();
}

/** The class of an error decides the exit status; the sentence is the cloud's. */
function answerError(status: number, body: string): FleetlogError {
  let message = `The cloud answered with status ${status}.`;
  try {
    const answer = JSON.parse(body) as { message?: unknown };
    if (typeof answer.message === 'string') message = answer.message;
  } catch {
    // not our cloud, or something in between: the status says what there is to say
  }
  if (status === 404) return new FleetlogError('FLEETLOG_NOT_FOUND', message);
  if (status === 409) return new FleetlogError('FLEETLOG_CHANGED', message);
  if (status >= 400 && status < 500) return new FleetlogError('FLEETLOG_USAGE', message);
  return new FleetlogError(status === 503 ? 'FLEETLOG_BUSY' : 'FLEETLOG_INTERRUPTED', message);
}

import type { MessagePort, Worker } from 'node:worker_threads';
import { FleetlogError, isFleetlogError, type ErrorCode } from '@fleetlog/shared/errors';

/** An answer whose memory goes to the other thread. */
export class Moved<T> {
  constructor(
    readonly value: T,
    readonly buffers: readonly Uint8Array[],
  ) {}
}

// What is called has the types of `T` on both sides; in here nobody knows them.
type Calls<T> = { [K in keyof T]: (...args: never[]) => Promise<unknown> };
type Answered<R> = R extends Moved<infer V> ? V : R;

type Message =
  | { id: number | undefined; name: string; args: unknown[] }
  | { id: number; result: unknown }
  | { id: number; failure: Failure };

interface Failure {
  /** Undefined for what isn't a `FleetlogError`. */
  code: ErrorCode | undefined;
  message: string;
  stack: string | undefined;
  cause: string | undefined;
}

/** Calls between two threads, both ways. `Theirs`: what can be called on the other side. */
export class Rpc<Ours extends Calls<Ours>, Theirs extends Calls<Theirs>> {
  private readonly waiting = new Map<number, PromiseWithResolvers<unknown>>();
  private nextId = 0;
  private ended: FleetlogError | undefined;

  constructor(
    private readonly port: MessagePort | Worker,
    private readonly ours: Ours,
  ) {
    const listener = (message: Message): void => {
      if ('name' in message) void this.answer(message.id, message.name, message.args);
      else this.settle(message);
    };
    (port as MessagePort).on('message', listener);
  }

  async call<K extends keyof Theirs & string>(
    name: K,
    ...args: Parameters<Theirs[K]>
  ): Promise<Answered<Awaited<ReturnType<Theirs[K]>>>> {
    if (this.ended) throw this.ended;
    const id = this.nextId++;
    const waiter = Promise.withResolvers<unknown>();
    this.waiting.set(id, waiter);
    this.port.postMessage({ id, name, args } satisfies Message);
    return (await waiter.promise) as Answered<Awaited<ReturnType<Theirs[K]>>>;
  }

  /** As `call`, where nobody waits for an answer. */
  tell<K extends keyof Theirs & string>(name: K, ...args: Parameters<Theirs[K]>): void {
    this.port.postMessage({ id: undefined, name, args } satisfies Message);
  }

  /** Nothing is answered any more. */
  end(reason: FleetlogError): void {
    this.ended = reason;
    for (const { reject } of this.waiting.values()) reject(reason);
    this.waiting.clear();
  }

  private async answer(id: number | undefined, name: string, args: unknown[]): Promise<void> {
    try {
      const handler = this.ours[name as keyof Ours] as unknown as (...args: unknown[]) => Promise<unknown>;
      const result = await handler(...args);
      if (id === undefined) return;
      if (!(result instanceof Moved)) this.port.postMessage({ id, result } satisfies Message);
      else {
        const buffers = result.buffers.map(({ buffer }) => buffer as ArrayBuffer);
        this.port.postMessage({ id, result: result.value } satisfies Message, buffers);
      }
    } catch (error) {
      if (id === undefined) throw error;
      this.port.postMessage({ id, failure: failureOf(error) } satisfies Message);
    }
  }

  private settle(message: Exclude<Message, { name: string }>): void {
    const waiter = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if ('failure' in message) waiter?.reject(errorOf(message.failure));
    else waiter?.resolve(message.result);
  }
}

function failureOf(error: unknown): Failure {
  const { message, stack, cause } = error instanceof Error ? error : new Error(String(error));
  const said = cause instanceof Error ? cause.message : undefined;
  return { code: isFleetlogError(error) ? error.code : undefined, message, stack, cause: said };
}

function errorOf({ code, message, stack, cause: said }: Failure): Error {
  const options = said === undefined ? undefined : { cause: new Error(said) };
  if (code) return new FleetlogError(code, message, options);
  const error = new Error(message, options);
  if (stack !== undefined) error.stack = stack;
  return error;
}

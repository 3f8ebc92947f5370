import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import type { BatchClock, Origin } from '@fleetlog/shared/batch';
import { FleetlogError, type ErrorCode } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import type { BatchLimits } from '../../batch/limits.js';
import type { GatewayEvents } from '../../events/events.js';
import type { BatchSink, Source, SourceCounters } from '../source.js';
import type { BusOffRestart } from './bus-off-restart.js';
import type { CaptureWorkerData, WorkerNews } from './capture-worker.js';
import { STOP, WAITING, WORDS } from './shared-words.js';

const TIMEOUT_MS = 100;
/** How often an interface is looked for that isn't there or isn't up. */
const LOOK_MS = 500;
const IFF_UP = 1;
/** Below this the kernel drops frames of a full bus when the gateway is busy for a moment. */
const RECEIVE_BUFFER_BYTES_MIN = 1024 * 1024;

export interface SocketCanOptions {
  stream: string;
  interfaceName: string;
  filters: readonly (readonly [id: number, mask: number])[];
  receiveBufferBytes: number;
  origin: Origin;
  /** How times of this offset stand to what is known. */
  clockOf: (wallOffsetUs: number) => BatchClock;
  limits: BatchLimits;
  clock: Clock;
  logger: Logger;
  events: GatewayEvents;
  /** Where the frames are counted. */
  statistics?: SharedArrayBuffer | undefined;
  /** Restarts a controller that is bus-off; without it that is left to others. */
  restart?: BusOffRestart | undefined;
}

/**
 * A CAN interface of the kernel. It only listens. While the interface isn't there or is down, it waits for it; frames
 * that the kernel had to drop become gap records, and changes of the bus's state become events.
 */
export class SocketCanSource implements Source {
  readonly kind = 'can';
  readonly finite = false;
  readonly counters: SourceCounters = { records: 0, malformed: 0, timeReversals: 0 };
  private said = '';

  constructor(private readonly options: SocketCanOptions) {}

  /** Errors: what the sink throws; FLEETLOG_PLATFORM. */
  async run(sink: BatchSink, _position: Uint8Array | undefined, signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    while (!signal.aborted) {
      const down = await this.whyDown();
      const error = down ?? (await this.runOnce(sink, signal));
      if (signal.aborted) return;
      if (error) this.tellDown(error);
      await clock.sleep(LOOK_MS, signal).catch(() => undefined);
    }
  }

  /** One life of the interface. Returns why it ended. */
  private async runOnce(sink: BatchSink, signal: AbortSignal): Promise<FleetlogError | undefined> {
    const { stream, interfaceName, filters, receiveBufferBytes, limits, origin, statistics } = this.options;
    const words = new Int32Array(new SharedArrayBuffer(4 * WORDS));
    const workerData: CaptureWorkerData = {
      interfaceName,
      filters,
      receiveBufferBytes,
      limits,
      timeoutMs: TIMEOUT_MS,
      words: words.buffer as SharedArrayBuffer,
      statistics,
    };
    const worker = new Worker(new URL('./capture-worker.js', import.meta.url), { workerData });
    const stop = (): void => {
      Atomics.store(words, STOP, 1);
      Atomics.notify(words, STOP);
    };
    signal.addEventListener('abort', stop, { once: true });
    const before = { ...this.counters };
    let failure: FleetlogError | undefined;
    let putting: Promise<void> = Promise.resolve();
    worker.on('message', (news: WorkerNews) => {
      if (news.type === 'batch' || news.type === 'gap') {
        const { payload } = news;
        const stamped = { ...this.options.clockOf(news.wallOffsetUs), stamped: true };
        if (news.type === 'batch') this.counters.records = before.records + news.records;
        else this.counters.overruns = (before.overruns ?? 0) + news.dropped;
        putting = putting.then(async () => {
          await sink.put(stream, { payload, origin, clock: stamped });
          Atomics.sub(words, WAITING, 1);
          Atomics.notify(words, WAITING);
        });
        putting.catch(stop);
      } else if (news.type === 'ended') {
        if (news.error) failure = new FleetlogError(news.error.code as ErrorCode, news.error.message);
      } else {
        this.note(news, signal);
      }
    });
    try {
      await once(worker, 'exit');
      await putting;
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
    }
    if (failure && failure.code !== 'FLEETLOG_SOURCE') throw failure;
    return failure;
  }

  private note(news: Exclude<WorkerNews, { type: 'batch' | 'gap' | 'ended' }>, signal: AbortSignal): void {
    const { stream, interfaceName, logger, events, restart } = this.options;
    // Bus-off before the gateway began: no error frame tells of it.
    if (news.type === 'opened' || (news.type === 'state' && news.state === 'bus-off')) {
      void restart?.lookAfter(signal);
    }
    if (news.type === 'opened') {
      this.said = '';
      const { receiveBufferBytes } = news;
      logger.info({ receiveBufferBytes }, `Listening on ${interfaceName}.`);
      events.note('can.opened', { stream, interface: interfaceName, receiveBufferBytes });
      if (receiveBufferBytes < RECEIVE_BUFFER_BYTES_MIN) {
        logger.warn(
          { receiveBufferBytes },
          `The kernel gives ${interfaceName} only ${receiveBufferBytes} bytes for frames that wait; allow more with sudo sysctl -w net.core.rmem_max=8388608.`,
        );
      }
    } else if (news.type === 'clock') {
      events.note('can.clock', { stream, clock: news.clock });
    } else {
      logger.warn({ state: news.state }, `The bus at ${interfaceName} is ${news.state}.`);
      events.note('can.state', { stream, state: news.state });
    }
  }

  /** Says once why nothing comes. */
  private tellDown(error: FleetlogError): void {
    if (error.message === this.said) return;
    this.said = error.message;
    const { stream, interfaceName, logger, events } = this.options;
    logger.warn({}, error.message);
    events.note('can.down', { stream, interface: interfaceName, reason: error.message });
  }

  private async whyDown(): Promise<FleetlogError | undefined> {
    const { interfaceName } = this.options;
    const flags = await readFile(`/sys/class/net/${interfaceName}/flags`, 'utf8').catch(() => undefined);
    if (flags === undefined) {
      return new FleetlogError(
        'FLEETLOG_SOURCE',
        `There is no interface ${interfaceName}; it is read as soon as there is one (see ip -br link).`,
      );
    }
    if (Number(flags) & IFF_UP) return undefined;
    return new FleetlogError(
      'FLEETLOG_SOURCE',
      `The interface ${interfaceName} is down; set its bit rate and bring it up: sudo ip link set ${interfaceName} up type can bitrate 500000 listen-only on.`,
    );
  }
}

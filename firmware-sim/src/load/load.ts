import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { FleetlogError } from '@fleetlog/shared/errors';
import { newEpoch } from '@fleetlog/shared/util';
import { Histogram } from '../fleet/histogram.js';
import { noCounters, type LoadCounters, type LoadOptions, type WorkerOptions } from './options.js';
import type { WorkerMessage } from './worker.js';

const workerScript = fileURLToPath(new URL('./worker.js', import.meta.url));
/** Processes start within it, so that they begin together. */
const LEAD_MS = 1500;
const KNOCK_MS = 10_000;

/** What came of a load. */
export interface LoadReport {
  options: LoadOptions;
  simulated: true;
  seconds: number;
  counters: LoadCounters;
  /** Batches that the cloud never acknowledged. */
  unacknowledged: number;
  latency: Histogram;
  /** Most connections at one time. */
  connectedMost: number;
  /** About a second each. */
  timeline: LoadSample[];
}

/** What a load did in one second. */
interface LoadSample {
  /** Its end, since the start. */
  atMs: number;
  connected: number;
  /** Batches that were due and not acknowledged at the end. */
  waiting: number;
  /** Batches a second. */
  rates: { due: number; acknowledged: number };
  /** Of what was acknowledged in it. */
  latencyMs: { p50: number; p99: number; max: number };
}

export interface LoadParts {
  signal: AbortSignal;
  /** Each second: what was counted so far, and in the last second. */
  onProgress: (elapsedMs: number, counters: LoadCounters, before: LoadCounters) => void;
}

/**
 * Drives a load from some processes. Errors: FLEETLOG_UNREACHABLE where nobody listens, FLEETLOG_INTERRUPTED where a
 * process ends too early.
 */
export async function runLoad(
  options: LoadOptions,
  processes: number,
  { signal, onProgress }: LoadParts,
): Promise<LoadReport> {
  await knock(options);
  const epoch = newEpoch();
  const startMs = Date.now() + LEAD_MS;
  const latency = new Histogram();
  const counts = Array.from({ length: processes }, noCounters);
  const share = Math.ceil(options.gateways / processes);
  const children = counts.map((_, n) => {
    const first = n * share;
    const gateways = Math.max(0, Math.min(share, options.gateways - first));
    const worker: WorkerOptions = { ...options, gateways, first, epoch, startMs };
    return fork(workerScript, [JSON.stringify(worker)]);
  });
  const stop = (): void => children.forEach((child) => child.kill('SIGTERM'));
  signal.addEventListener('abort', stop, { once: true });
  let before = noCounters();
  let beforeMs = startMs;
  let connectedMost = 0;
  let recent = new Histogram();
  const timeline: LoadSample[] = [];
  const timer = setInterval(() => {
    const now = sum(counts);
    const nowMs = Date.now();
    connectedMost = Math.max(connectedMost, now.connected);
    onProgress(Math.max(0, nowMs - startMs), now, before);
    if (nowMs > beforeMs) timeline.push(sampleOf(nowMs - startMs, nowMs - beforeMs, now, before, recent));
    recent = new Histogram();
    before = now;
    beforeMs = Math.max(startMs, nowMs);
  }, 1000);
  try {
    await Promise.all(
      children.map((child, n) =>
        follow(child, (message) => {
          counts[n] = message.counters;
          latency.merge(message.latency);
          recent.merge(message.latency);
        }),
      ),
    );
  } finally {
    clearInterval(timer);
    for (const child of children) child.kill('SIGKILL');
  }
  const counters = sum(counts);
  return {
    options,
    simulated: true,
    seconds: (Date.now() - startMs) / 1000,
    counters,
    unacknowledged: counters.due - counters.acknowledged,
    latency,
    connectedMost: Math.max(connectedMost, counters.connected),
    timeline,
  };
}

function sampleOf(
  atMs: number,
  tookMs: number,
  now: LoadCounters,
  before: LoadCounters,
  latency: Histogram,
): LoadSample {
  const perSecond = (key: 'due' | 'acknowledged'): number => ((now[key] - before[key]) * 1000) / tookMs;
  const ms = (share: number): number => latency.percentile(share) / 1000;
  return {
    atMs,
    connected: now.connected,
    waiting: now.due - now.acknowledged,
    rates: { due: perSecond('due'), acknowledged: perSecond('acknowledged') },
    latencyMs: { p50: ms(0.5), p99: ms(0.99), max: latency.max / 1000 },
  };
}

/** One sentence now is better than back-off until the end. */
async function knock({ host, port }: LoadOptions): Promise<void> {
  const socket = connect({ host, port, timeout: KNOCK_MS });
  try {
    await Promise.race([
      once(socket, 'connect'),
      once(socket, 'timeout').then(() => Promise.reject(new Error('no answer'))),
    ]);
  } catch (cause) {
    throw new FleetlogError(
      'FLEETLOG_UNREACHABLE',
      `Nobody listens at ${host}:${port}; start a cloud there, or give another --mqtt.`,
      { cause },
    );
  } finally {
    socket.destroy();
  }
}

/** Resolves when the process has said all. */
async function follow(child: ChildProcess, take: (message: WorkerMessage) => void): Promise<void> {
  let isComplete = false;
  child.on('message', (message) => {
    take(message as WorkerMessage);
    isComplete ||= (message as WorkerMessage).isLast;
  });
  await once(child, 'close');
  if (!isComplete)
    throw new FleetlogError('FLEETLOG_INTERRUPTED', 'A process of the load ended before its time.');
}

function sum(counts: readonly LoadCounters[]): LoadCounters {
  const total = noCounters();
  for (const one of counts) {
    for (const key of Object.keys(total) as (keyof LoadCounters)[]) total[key] += one[key];
  }
  return total;
}

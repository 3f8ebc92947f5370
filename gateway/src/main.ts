import { join } from 'node:path';
import { productVersion } from '@fleetlog/shared/cli';
import { durationMs } from '@fleetlog/shared/config';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import { bootId, type Clock } from '@fleetlog/shared/util';
import { systemClockFacts, type ClockFacts } from './buffer/clock-facts.js';
import type { BufferedStream, GatewayBuffer } from './buffer/buffer.js';
import { inspectBuffer } from './buffer/inspect.js';
import { originalName } from './buffer/integrity/rescued-names.js';
import { openBuffer, type OpenOptions } from './buffer/open-buffer.js';
import type { BufferOptions } from './buffer/buffer-options.js';
import { diskOf } from './buffer/space/disk.js';
import { eventsPolicy, forgottenStreamPolicy, type StreamPolicy } from './buffer/space/limits.js';
import { FillRate } from './buffer/space/report.js';
import { createBus } from './bus/create-bus.js';
import type { GatewayConfig } from './config.js';
import { controlSocketPath } from './control/protocol.js';
import { serveControl } from './control/server.js';
import { describeGateway, describeIds, type GatewayReport, type IdsReport } from './control/status.js';
import { superviseSource, type SupervisedSource } from './control/supervise-source.js';
import { EventStream } from './events/event-stream.js';
import { EVENTS_STREAM, type GatewayEvents } from './events/events.js';
import { connectMqtt, serveMetrics } from './loaded-late.js';
import { createSource } from './sources/create.js';
import { kernelClock } from './time/kernel-clock.js';
import { timesyncFile, type KernelSync } from './time/kernel-sync.js';
import { TimeKeeper } from './time/time-keeper.js';
import { BackOff } from './uplink/back-off.js';
import { Budget } from './uplink/budget.js';
import { Uplink } from './uplink/uplink.js';
import { WireMeter } from './uplink/wire-meter.js';

export interface RunOptions {
  /** End as soon as every source has ended and the cloud has acknowledged everything. */
  untilDrained: boolean;
  /** Ends the gateway cleanly: sources seal, the buffer is made durable, the cloud is told. */
  signal: AbortSignal;
  logger: Logger;
  clock: Clock;
  /** One life of the monotonic clock, where it isn't the kernel's boot. */
  boot?: string;
  /** Whether something keeps the wall clock right; asks the system where it isn't given. */
  kernel?: KernelSync;
  /** Called about every two seconds with how far things are. */
  onProgress?: ((progress: RunProgress) => void) | undefined;
}

/** Since this start of the gateway, unless it says otherwise. */
export interface RunProgress {
  records: number;
  /** Lines that made no sense, left out. */
  malformed: number;
  batches: number;
  bytes: number;
  /** Of the files' bytes, how many are read; undefined where no source is a file. */
  readShare: number | undefined;
  acknowledgedBatches: number;
  /** Batches in the buffer that the cloud hasn't acknowledged, also from earlier starts. */
  waitingBatches: number;
  /** Batches that the cloud refused and that are kept aside, also from earlier starts. */
  refusedBatches: number;
  connected: boolean;
  /** Why there is no connection. */
  trouble: string | undefined;
  seconds: number;
}

/** Opens the buffer of a configuration; `status` and `buffer inspect` do so where no gateway runs. */
export function openGatewayBuffer(
  config: GatewayConfig,
  clock: Clock,
  logger: Logger,
  {
    clockFacts = systemClockFacts(clock),
    ...options
  }: { clockFacts?: ClockFacts } & Pick<OpenOptions, 'salvage' | 'onBroken'> = {},
): Promise<GatewayBuffer> {
  return openBuffer({ ...bufferOptions(config, clock, logger, clockFacts), ...options });
}

export function bufferOptions(
  config: GatewayConfig,
  clock: Clock,
  logger: Logger,
  clockFacts: ClockFacts = systemClockFacts(clock),
): BufferOptions {
  return {
    gateway: config.gateway,
    path: bufferFolder(config),
    ...config.buffer,
    space: {
      limits: config.buffer.space,
      policyOf: (stream) => streamPolicy(config, originalName(stream)),
      disk: diskOf(config.data),
    },
    clock,
    clockFacts,
    logger,
  };
}

/** A stream that the configuration doesn't name any more goes before all others; the gateway's own never. */
function streamPolicy({ streams }: GatewayConfig, stream: string): StreamPolicy {
  if (stream === EVENTS_STREAM) return eventsPolicy;
  if (!Object.hasOwn(streams, stream)) return forgottenStreamPolicy;
  const { priority, whenFull, maxAge, thin, source } = streams[stream];
  return {
    priority,
    whenFull: whenFull ?? (source === 'file' ? 'wait' : 'drop'),
    maxAgeMs: maxAge === undefined ? undefined : durationMs(maxAge),
    keepEachNth: thin,
  };
}

export const bufferFolder = (config: GatewayConfig): string => join(config.data, 'buffer');

/**
 * The composition root of the gateway: source → batcher → buffer → uplink. Resolves at the end with what was done.
 * Errors: those of a source that can't go on, of the buffer's folder, FLEETLOG_STORE_BROKEN, FLEETLOG_USAGE.
 */
export async function runGateway(config: GatewayConfig, options: RunOptions): Promise<RunProgress> {
  const { clock, logger, signal, untilDrained, boot = bootId(), kernel } = options;
  const time = kernel ? { kernel } : { kernel: timesyncFile(), kernelClock: kernelClock() };
  const keeper = new TimeKeeper({ clock, boot, ...time, logger });
  // The sources' configuration is checked before anything is opened; they note nothing before they run.
  const opened: { events?: EventStream } = {};
  const events: GatewayEvents = { note: (type, attributes) => opened.events?.note(type, attributes) };
  const { compression } = config.uplink;
  const sources = Object.entries(config.streams).map(([stream, streamConfig]): SupervisedSource => {
    const bus = createBus(streamConfig, clock);
    const parts = { clock, keeper, logger, events, compression, statistics: bus?.statistics };
    const source = createSource(stream, streamConfig, parts);
    return { stream, source, condition: 'running', bus: bus?.watch };
  });
  const endless = sources.find(({ source }) => !source.finite);
  if (untilDrained && endless) {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `--until-drained needs sources that end, and the stream "${endless.stream}" never does.`,
    );
  }
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined); // it may come when all else is done
  const bufferParts = { clockFacts: keeper, onBroken: broken.reject };
  await using buffer = await openGatewayBuffer(config, clock, logger, bufferParts);
  const eventStream = (opened.events = new EventStream({ sink: buffer, time: keeper, logger }));
  const { state, uncertaintyUs } = keeper.read();
  events.note('gateway.started', {
    version: productVersion,
    epoch: buffer.epoch,
    boot,
    clock: state,
    uncertaintyUs,
  });
  noteRescue(buffer, events);
  const fillRate = new FillRate(buffer, clock, events);
  const meter = WireMeter.load(join(config.data, 'traffic.json'), clock, logger);
  const priorityOf = (stream: string): number => streamPolicy(config, stream).priority;
  const budget = new Budget(meter, config.uplink.budget, { priorityOf, events, logger });
  const uplink = new Uplink(
    { gateway: config.gateway, ...config.uplink, version: productVersion },
    { buffer, budget, connect: connectMqtt, clock, random: Math.random, logger },
  );
  const status = (): GatewayReport =>
    describeGateway(config, buffer, {
      uplink: uplink.state,
      sources,
      space: fillRate.report(),
      clock: keeper.read(),
    });
  const ids = (): IdsReport => describeIds(sources);
  await using control = await serveControl(
    controlSocketPath(config.data),
    { status, ids, buffer: () => inspectBuffer(buffer) },
    logger,
  );
  void control;
  await using metrics = await serveMetrics(config, { status, ids }, logger);
  void metrics;

  const progress = progressMeter(buffer, uplink, sources, clock);
  const stop = new AbortController();
  const stopSources = AbortSignal.any([signal, stop.signal]);
  const stopUplink = new AbortController();
  const work = async (): Promise<void> => {
    const grace = new AbortController();
    await Promise.race([
      runSources(sources, buffer, options, stopSources, stop),
      aborted(signal).then(() => clock.sleep(sealMsMax, grace.signal)),
    ]).finally(() => grace.abort());
    if (!untilDrained) return aborted(signal);
    stopped(signal.aborted ? 'asked' : 'drained'); // told before the wait for the cloud, which then has it, too
    await Promise.race([eventStream.settled(), aborted(signal)]);
    return drained(buffer, uplink, signal);
  };
  let stopNoted = false;
  const stopped = (reason: string): void => {
    if (!stopNoted) events.note('gateway.stopped', { reason });
    stopNoted = true;
  };
  const working = work(); // first of all: what is captured is what can't wait
  const uplinkDone = uplink.run(stopUplink.signal);
  const reporting = Promise.all([
    report(options, progress, stopUplink.signal),
    fillRate.run(stopUplink.signal),
    keeper.watch(events, stopUplink.signal),
  ]);
  try {
    await Promise.race([uplinkDone, working, broken.promise]);
    stopped('asked');
  } finally {
    stopped('failed');
    stop.abort();
    try {
      await flushInTime(async () => {
        await eventStream.settled();
        await buffer.flush();
      }, clock);
    } finally {
      stopUplink.abort();
      await Promise.all([uplinkDone, reporting]);
      await meter.save();
    }
  }
  return progress();
}

function noteRescue(buffer: GatewayBuffer, events: GatewayEvents): void {
  buffer.rescued().then(
    (report) => {
      if (!report) return;
      const { reasons, files, batches, records, lost } = report;
      const damagedFiles = report.damagedFiles.length;
      events.note('buffer.salvaged', {
        reason: reasons.join('; '),
        files,
        damagedFiles,
        batches,
        records,
        lost,
      });
    },
    () => undefined, // the log says so, and the next start goes on
  );
}

/** A disk that takes nothing any more must not keep the process from ending: sources that wait for it, and the flush. */
const sealMsMax = 1500;
const flushMsMax = 1500;

async function flushInTime(flush: () => Promise<void>, clock: Clock): Promise<void> {
  const timer = new AbortController();
  const late = clock.sleep(flushMsMax, timer.signal).then(
    () => {
      throw new FleetlogError(
        'FLEETLOG_STORE',
        "The last batches couldn't be made durable: the disk of the buffer is full or broken; see the log above.",
      );
    },
    () => undefined,
  );
  try {
    await Promise.race([flush(), late]);
  } finally {
    timer.abort();
  }
}

/** One source that can't go on ends the others; all of them have sealed when it resolves or rejects. */
async function runSources(
  sources: SupervisedSource[],
  buffer: GatewayBuffer,
  { clock, logger }: RunOptions,
  signal: AbortSignal,
  stop: AbortController,
): Promise<void> {
  const runs = sources.map(async (supervised) => {
    const backOff = new BackOff(Math.random);
    try {
      await superviseSource(supervised, buffer, { clock, backOff, logger }, signal);
    } catch (error) {
      stop.abort();
      throw error;
    }
  });
  const results = await Promise.allSettled(runs);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

/** Errors: FLEETLOG_STORE where all is drained but what a rescue couldn't finish. */
async function drained(buffer: GatewayBuffer, uplink: Uplink, signal: AbortSignal): Promise<void> {
  let notRescued: { cause: unknown } | undefined;
  const rescued = buffer.rescued().catch((cause: unknown) => void (notRescued = { cause }));
  await Promise.race([rescued.then(() => buffer.flush()), aborted(signal)]);
  const isDrained = (): boolean => buffer.streams().every(({ batches }) => batches === 0);
  while (!signal.aborted && !isDrained()) await uplink.progress.wait(signal).catch(() => undefined);
  if (!notRescued || signal.aborted) return;
  throw new FleetlogError(
    'FLEETLOG_STORE',
    `The rescue of a damaged buffer isn't done: ${String(notRescued.cause)} All else is drained; mend that and start ` +
      'the gateway again, it goes on.',
    { cause: notRescued.cause },
  );
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function progressMeter(
  buffer: GatewayBuffer,
  uplink: Uplink,
  sources: SupervisedSource[],
  clock: Clock,
): () => RunProgress {
  const startUs = clock.monotonicUs();
  const sum = <T>(items: T[], value: (item: T) => number): number =>
    items.reduce((s, item) => s + value(item), 0);
  /** The summary is about what the sources gave. */
  const captured = (): BufferedStream[] => buffer.streams().filter((s) => s.stream !== EVENTS_STREAM);
  const bytesPut = (): number => sum(captured(), (s) => s.bytesPut);
  const batchesPut = (): number => sum(captured(), (s) => s.next);
  const acknowledged = (): number => sum(captured(), (s) => s.next - s.batches - s.refused);
  const before = { bytes: bytesPut(), batches: batchesPut(), acknowledged: acknowledged() };
  return () => {
    const { connected, trouble } = uplink.state;
    const totalBytes = sum(sources, ({ source }) => source.counters.totalBytes ?? 0);
    const positionBytes = sum(sources, ({ source }) => source.counters.positionBytes ?? 0);
    return {
      records: sum(sources, ({ source }) => source.counters.records),
      malformed: sum(sources, ({ source }) => source.counters.malformed),
      batches: batchesPut() - before.batches,
      bytes: bytesPut() - before.bytes,
      readShare: totalBytes > 0 ? positionBytes / totalBytes : undefined,
      acknowledgedBatches: acknowledged() - before.acknowledged,
      waitingBatches: sum(buffer.streams(), (s) => s.batches),
      refusedBatches: sum(buffer.streams(), (s) => s.refused),
      connected,
      trouble,
      seconds: (clock.monotonicUs() - startUs) / 1e6,
    };
  };
}

const progressIntervalMs = 2000;

async function report(
  { clock, onProgress }: RunOptions,
  progress: () => RunProgress,
  signal: AbortSignal,
): Promise<void> {
  while (onProgress && !signal.aborted) {
    await clock.sleep(progressIntervalMs, signal).catch(() => undefined);
    if (!signal.aborted) onProgress(progress());
  }
}

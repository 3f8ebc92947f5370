// One process of a load: its options as JSON in the first argument, counters and at last the histogram to its parent.
import { Histogram, type HistogramExport } from '../fleet/histogram.js';
import { Prng } from '../vehicle/prng.js';
import { LoadGateway, type LoadParts } from './load-gateway.js';
import { noCounters, type LoadCounters, type WorkerOptions } from './options.js';
import { createTemplates } from './templates.js';

export interface WorkerMessage {
  counters: LoadCounters;
  /** Of what was acknowledged since the message before. */
  latency: HistogramExport;
  isLast: boolean;
}

const TICK_MS = 10;
const PING_MS = 25_000;
const REPORT_MS = 500;
/** What isn't acknowledged so long after the last batch never will be. */
const DRAIN_MS_MAX = 30_000;

const options = JSON.parse(process.argv[2]) as WorkerOptions;
const prng = new Prng(options.first, 30);
const parts: LoadParts = {
  options,
  templates: createTemplates(options.framesPerBatch, options.intervalMs),
  counters: noCounters(),
  latency: new Histogram(),
  random: () => prng.unit(),
};

const { rampUpMs, intervalMs, durationMs, stormEveryMs, stormShare } = options;
const originMs = performance.now() + Math.max(0, options.startMs - Date.now());
const gateways = Array.from({ length: options.gateways }, (_, i) => {
  // Each sends at a phase of its own, from the moment on in which it connects.
  const opensMs = originMs + (rampUpMs * i) / options.gateways;
  const gateway = new LoadGateway(`load-${options.first + i}`, opensMs + intervalMs * prng.unit(), parts);
  return { gateway, opensMs };
});
const endMs = originMs + rampUpMs + durationMs;

let opened = 0;
let stormMs = stormEveryMs > 0 ? originMs + rampUpMs + stormEveryMs : Infinity;
let stopping = false;

const ticker = setInterval(() => {
  const nowMs = performance.now();
  for (; opened < gateways.length && gateways[opened].opensMs <= nowMs; opened++)
    gateways[opened].gateway.open();
  const untilMs = Math.min(nowMs, stopping ? 0 : endMs);
  for (const { gateway } of gateways) gateway.tick(untilMs);
  if (nowMs >= stormMs && nowMs < endMs) {
    stormMs += stormEveryMs;
    parts.counters.storms++;
    for (const { gateway } of gateways) if (prng.chance(stormShare)) gateway.drop();
  }
  const isDrained = gateways.every(({ gateway }) => gateway.acknowledged >= gateway.due);
  const isOver = stopping || (nowMs >= endMs && (isDrained || nowMs > endMs + DRAIN_MS_MAX));
  if (isOver) finish();
}, TICK_MS);
const pinger = setInterval(() => {
  for (const { gateway } of gateways) gateway.ping();
}, PING_MS);
const reporter = setInterval(() => process.send?.(message(false)), REPORT_MS);
process.on('SIGTERM', () => (stopping = true));
process.on('SIGINT', () => undefined); // the parent says when
process.on('disconnect', () => process.exit(1));

function message(isLast: boolean): WorkerMessage {
  parts.counters.connected = gateways.reduce((sum, { gateway }) => sum + Number(gateway.ready), 0);
  const latency = parts.latency.export();
  parts.latency.clear();
  return { counters: parts.counters, latency, isLast };
}

function finish(): void {
  for (const timer of [ticker, pinger, reporter]) clearInterval(timer);
  const last = message(true);
  for (const { gateway } of gateways) gateway.close();
  process.send?.(last, () => {
    process.removeAllListeners('disconnect');
    process.disconnect?.();
  });
}

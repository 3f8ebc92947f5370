import type { BatchClock } from '@fleetlog/shared/batch';
import type { BufferedStream, GatewayBuffer } from '../buffer/buffer.js';
import type { BusReport, IdReport } from '../bus/bus-watch.js';
import type { SpaceReport } from '../buffer/space/report.js';
import type { WriteState } from '../buffer/write-budget.js';
import type { GatewayConfig } from '../config.js';
import type { SourceCounters } from '../sources/source.js';
import type { UplinkState } from '../uplink/uplink.js';
import type { SourceCondition, SupervisedSource } from './supervise-source.js';

/** What `fleetlog-gateway status --json` prints. */
export interface GatewayReport {
  gateway: string;
  epoch: string;
  /** False where no gateway runs on this folder; then `uplink` and the streams' `source` are absent. */
  running: boolean;
  pid?: number;
  uplink?: UplinkState & { url: string };
  /** Absent where no gateway runs. */
  space?: SpaceReport;
  /** Absent where no gateway runs. */
  writes?: WriteState;
  streams: (BufferedStream & {
    priority?: number;
    source?: SourceCounters & { condition: SourceCondition };
    /** Of CAN streams of a running gateway: what was heard since its start, by bus. */
    buses?: BusReport[];
  })[];
  /** How well the gateway knows the time. */
  clock?: BatchClock;
  /** Of the running process. */
  memory?: MemoryReport;
}

interface MemoryReport {
  /** What it takes of the machine's memory. */
  residentBytes: number;
  /** What JavaScript's objects of the main thread take of that; it rises and falls with the garbage. */
  heapBytes: number;
  /** Buffers outside of that heap. */
  externalBytes: number;
}

export function describeGateway(
  config: GatewayConfig,
  buffer: GatewayBuffer,
  life?: {
    uplink: UplinkState;
    sources: SupervisedSource[];
    space: SpaceReport | undefined;
    clock: BatchClock;
  },
): GatewayReport {
  const { gateway } = config;
  const held = buffer.streams();
  if (!life) return { gateway, epoch: buffer.epoch, running: false, streams: held };
  const streams: GatewayReport['streams'] = held.filter(
    (h) => !life.sources.some((s) => s.stream === h.stream),
  );
  for (const { stream, source, condition, bus } of life.sources) {
    const known = held.find((h) => h.stream === stream) ?? nothingHeld(stream, source.kind);
    streams.push({
      ...known,
      priority: config.streams[stream].priority,
      source: { ...source.counters, condition },
      ...(bus && { buses: bus.report() }),
    });
  }
  streams.sort((a, b) => (a.stream < b.stream ? -1 : 1));
  return {
    gateway,
    epoch: buffer.epoch,
    running: true,
    pid: process.pid,
    ...(life.space && { space: life.space }),
    writes: buffer.writeState,
    uplink: { url: config.uplink.url, ...life.uplink },
    clock: life.clock,
    memory: memoryOfProcess(),
    streams,
  };
}

/** What `status --ids` shows: the identifiers of each CAN stream. */
export type IdsReport = Record<string, IdReport[]>;

export function describeIds(sources: SupervisedSource[]): IdsReport {
  return Object.fromEntries(sources.flatMap(({ stream, bus }) => (bus ? [[stream, bus.identifiers()]] : [])));
}

function memoryOfProcess(): MemoryReport {
  const { rss, heapUsed, external } = process.memoryUsage();
  return { residentBytes: rss, heapBytes: heapUsed, externalBytes: external };
}

/** A stream whose source hasn't given anything yet. */
const nothingHeld = (stream: string, kind: BufferedStream['kind']): BufferedStream => ({
  stream,
  kind,
  first: 0,
  durableNext: 0,
  next: 0,
  batches: 0,
  records: 0,
  bytes: 0,
  recordsPut: 0,
  bytesPut: 0,
  refused: 0,
  givenUp: { batches: 0, records: 0, bytes: 0 },
  thinned: { batches: 0, records: 0, bytes: 0 },
});

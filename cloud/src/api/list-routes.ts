import type { FastifyInstance } from 'fastify';
import type { ClockState } from '@fleetlog/shared/batch';
import { isoMicros } from '../export/iso-time.js';
import type { Index, StreamFilter, StreamSummary } from '../index/index.js';
import { pendingBatches, streamName } from './buffered.js';
import { catchUp, type ApiContext } from './context.js';
import { checkFilter } from './find-stream.js';
import { gapReport, type GapRow } from './gap-report.js';
import {
  ErrorBody,
  GapsBody,
  GatewaysBody,
  NoQuery,
  StreamQuery,
  StreamsBody,
  type Gaps,
  type Gateways,
  type Streams,
} from './schemas.js';

type GatewayRow = Gateways['gateways'][number];
type StreamRow = Streams['streams'][number];

/** What there is: gateways, streams, gaps. */
export function listRoutes(app: FastifyInstance, context: ApiContext): void {
  const { index, fleet, clock } = context;

  app.get(
    '/v1/gateways',
    {
      schema: {
        summary: 'Gateways that ever sent something',
        querystring: NoQuery,
        response: { 200: GatewaysBody, default: ErrorBody },
      },
    },
    async (_request, reply) => {
      await catchUp(context, reply);
      return { gateways: await gatewayRows(context) };
    },
  );

  app.get<{ Querystring: StreamFilter }>(
    '/v1/streams',
    {
      schema: {
        summary: 'Streams, summed up',
        querystring: StreamQuery,
        response: { 200: StreamsBody, default: ErrorBody },
      },
    },
    async ({ query }, reply) => {
      await catchUp(context, reply);
      await checkFilter(index, fleet, query);
      const pending = await pendingBatches(fleet, query);
      const nowUs = clock.nowUs();
      const streams: StreamRow[] = [];
      for await (const summary of index.streams(query)) {
        streams.push(
          streamRow(summary, await timesOf(index, summary), pending.get(streamName(summary)) ?? 0, nowUs),
        );
      }
      return { streams };
    },
  );

  app.get<{ Querystring: StreamFilter }>(
    '/v1/gaps',
    {
      schema: {
        summary: 'Sequences that the log does not hold, and why',
        querystring: StreamQuery,
        response: { 200: GapsBody, default: ErrorBody },
      },
    },
    async ({ query }, reply) => {
      await catchUp(context, reply);
      await checkFilter(index, fleet, query);
      const { rows, held, thinned, ...report } = await gapReport(index, fleet, query);
      return { ...report, gaps: rows.map(gapRow), heldBatches: held, thinnedBatches: thinned };
    },
  );
}

async function gatewayRows({ index, fleet }: ApiContext): Promise<GatewayRow[]> {
  const rows = new Map<string, GatewayRow>();
  const rowOf = (gateway: string): GatewayRow => {
    let row = rows.get(gateway);
    if (!row) {
      row = {
        gateway,
        connected: false,
        streams: 0,
        batches: 0,
        records: 0,
        bytes: 0,
        pendingBatches: 0,
        bufferBytes: 0,
      };
      rows.set(gateway, row);
    }
    return row;
  };
  for (const { gateway, connected, lastSeenUs, status } of fleet.presence()) {
    const row = rowOf(gateway);
    row.connected = connected;
    row.lastSeen = isoMicros(lastSeenUs);
    if (!status) continue;
    row.epoch = status.epoch;
    row.version = status.version;
    for (const { bytes } of Object.values(status.streams)) row.bufferBytes += bytes;
  }
  for await (const summary of index.streams()) {
    const row = rowOf(summary.gateway);
    row.streams++;
    row.batches += summary.batches;
    row.records += summary.records;
    row.bytes += summary.bytes;
    const { firstTime, lastTime } = await timesOf(index, summary);
    if (firstTime && (!row.firstTime || firstTime < row.firstTime)) row.firstTime = firstTime;
    if (lastTime && (!row.lastTime || lastTime > row.lastTime)) row.lastTime = lastTime;
  }
  for (const [name, batches] of await pendingBatches(fleet, {})) {
    rowOf(name.slice(0, name.indexOf('/'))).pendingBatches += batches;
  }
  return [...rows.values()].sort((a, b) => (a.gateway < b.gateway ? -1 : 1));
}

function streamRow(summary: StreamSummary, times: ListedTimes, pending: number, nowUs: number): StreamRow {
  const { gateway, stream, kind, origin, batches, records, bytes, lastReceiveTimeUs } = summary;
  return {
    gateway,
    stream,
    kind,
    ...(origin && { origin }),
    ...times,
    batches,
    records,
    bytes,
    ...(records > 0 && { bytesPerRecord: bytes / records }),
    pendingBatches: pending,
    lastReceiveTime: isoMicros(lastReceiveTimeUs),
    secondsSinceReceive: Math.max(0, nowUs - lastReceiveTimeUs) / 1e6,
  };
}

interface ListedTimes {
  firstTime?: string;
  lastTime?: string;
  clock?: ClockState;
}

async function timesOf(index: Index, { gateway, stream }: StreamSummary): Promise<ListedTimes> {
  const times = await index.times(gateway, stream, 'corrected');
  if (!times) return {};
  const { firstTimeUs, lastTimeUs, clock } = times;
  return {
    firstTime: isoMicros(firstTimeUs),
    lastTime: isoMicros(lastTimeUs),
    ...(clock && { clock }),
  };
}

function gapRow({ record, backupUs, ...row }: GapRow): Gaps['gaps'][number] {
  if (backupUs !== undefined) {
    const at = isoMicros(backupUs);
    return {
      ...row,
      cause: 'restore',
      detail: `The log was restored from its backup of ${at}; these came later.`,
    };
  }
  if (!record) return row;
  const { cause, detail, records, firstTimeUs, lastTimeUs } = record;
  return {
    ...row,
    cause,
    detail,
    records,
    firstTime: isoMicros(firstTimeUs),
    lastTime: isoMicros(lastTimeUs),
  };
}

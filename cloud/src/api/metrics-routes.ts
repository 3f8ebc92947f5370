import type { FastifyInstance } from 'fastify';
import type { GroupState } from '../consumers/groups.js';
import { entriesBetween } from '../log/entries-between.js';
import type { Log } from '../log/log.js';
import type { ApiContext } from './context.js';
import { NoQuery } from './schemas.js';

interface Sample {
  labels?: Record<string, string | number>;
  value: number;
}

/** Counters and sizes as Prometheus reads them (text format 0.0.4). */
export function metricsRoutes(app: FastifyInstance, context: ApiContext): void {
  const { log, index, fleet, groups } = context;
  app.get(
    '/metrics',
    { schema: { summary: 'Metrics, in the text format of Prometheus', querystring: NoQuery } },
    async (_request, reply) => {
      const { batches, records, bytes, duplicates, refused } = fleet.counters;
      const states = groups.states();
      const lags = await lagSamples(log, states);
      const text = [
        metric('fleetlog_ingest_batches_total', 'counter', 'Batches appended.', [{ value: batches }]),
        metric('fleetlog_ingest_records_total', 'counter', 'Records appended.', [{ value: records }]),
        metric('fleetlog_ingest_bytes_total', 'counter', 'Bytes of batches appended.', [{ value: bytes }]),
        metric('fleetlog_ingest_duplicates_total', 'counter', 'Batches that the log held.', [
          { value: duplicates },
        ]),
        metric(
          'fleetlog_ingest_refused_total',
          'counter',
          'Messages refused, by code.',
          Object.entries(refused).map(([code, value]) => ({ labels: { code }, value })),
        ),
        metric(
          'fleetlog_log_end_offset',
          'gauge',
          'Offset that the next batch gets.',
          log.ends().map(({ partition, next: value }) => ({ labels: { partition }, value })),
        ),
        metric('fleetlog_log_disk_bytes', 'gauge', 'Size of the log.', [{ value: await log.diskBytes() }]),
        metric('fleetlog_index_lag_batches', 'gauge', 'Batches not indexed yet.', [{ value: index.lag() }]),
        metric(
          'fleetlog_group_members',
          'gauge',
          'Members that read.',
          states.map(({ group, members: value }) => ({ labels: { group }, value })),
        ),
        metric('fleetlog_group_lag_batches', 'gauge', 'Batches behind the checkpoint.', lags),
        metric(
          'fleetlog_groups_skipped_batches_total',
          'counter',
          'Batches that were not there when a group came to them, by cause.',
          Object.entries(groups.counters.skipped).map(([cause, value]) => ({ labels: { cause }, value })),
        ),
        metric(
          'fleetlog_groups_late_batches_total',
          'counter',
          'Batches that came too late for the order of event time.',
          [{ value: groups.counters.late }],
        ),
        metric(
          'fleetlog_retention_trimmed_batches_total',
          'counter',
          'Batches trimmed since the log was made.',
          [{ value: context.retention.trimmed.batches }],
        ),
        metric('fleetlog_retention_trimmed_bytes_total', 'counter', 'Bytes of batches trimmed.', [
          { value: context.retention.trimmed.bytes },
        ]),
        metric('fleetlog_disk_free_bytes', 'gauge', 'Left on the disk of the data folder.', [
          { value: context.disk.freeBytes },
        ]),
        metric('fleetlog_ingest_paused', 'gauge', '1 while nothing is acknowledged for want of disk.', [
          { value: Number(context.disk.isFull) },
        ]),
      ].join('');
      return reply.type('text/plain; version=0.0.4; charset=utf-8').send(text);
    },
  );
}

async function lagSamples(log: Log, states: readonly GroupState[]): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const { group, partitions } of states) {
    for (const { partition, next, end } of partitions) {
      const value = await entriesBetween(log, partition, next, end);
      samples.push({ labels: { group, partition }, value });
    }
  }
  return samples;
}

function metric(name: string, type: 'counter' | 'gauge', help: string, samples: Sample[]): string {
  const lines = samples.map(({ labels = {}, value }) => {
    const pairs = Object.entries(labels).map(([key, label]) => `${key}="${label}"`);
    return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

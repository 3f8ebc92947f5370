import type { BusReport } from '../bus/bus-watch.js';
import type { GatewayReport, IdsReport } from './status.js';

/** Prometheus's text format. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

type Labels = Record<string, string>;

/** What a gateway says of itself, as metrics. Identifiers only where they are given: each is a series of its own. */
export function metricsText(report: GatewayReport, ids?: IdsReport): string {
  const page = new Page();
  const { uplink, space, clock, streams } = report;
  page.add('fleetlog_gateway_running', 'gauge', 'Whether the gateway runs', Number(report.running));
  if (uplink) {
    page.add(
      'fleetlog_gateway_connected',
      'gauge',
      'Whether the cloud is connected',
      Number(uplink.connected),
    );
    page.add(
      'fleetlog_gateway_batches_in_flight',
      'gauge',
      'Batches on their way to the cloud',
      uplink.inFlightBatches,
    );
  }
  if (space) {
    page.add('fleetlog_gateway_buffer_disk_bytes', 'gauge', 'Files of the buffer', space.diskBytes);
    page.add('fleetlog_gateway_disk_free_bytes', 'gauge', 'Free space of its disk', space.freeBytes);
  }
  if (clock && clock.uncertaintyUs >= 0) {
    page.add(
      'fleetlog_gateway_clock_uncertainty_seconds',
      'gauge',
      'How far the clock may be off',
      clock.uncertaintyUs / 1e6,
    );
  }
  for (const { stream, recordsPut, batches, bytes, givenUp, thinned, refused, source, buses } of streams) {
    const of = { stream };
    page.add('fleetlog_stream_records_total', 'counter', 'Records put into the buffer', recordsPut, of);
    page.add('fleetlog_stream_waiting_batches', 'gauge', 'Batches that the cloud lacks', batches, of);
    page.add('fleetlog_stream_waiting_bytes', 'gauge', 'Their size', bytes, of);
    page.add('fleetlog_stream_given_up_records_total', 'counter', 'Records given up', givenUp.records, of);
    page.add('fleetlog_stream_thinned_records_total', 'counter', 'Records taken out', thinned.records, of);
    page.add('fleetlog_stream_refused_batches', 'gauge', 'Batches that the cloud refused', refused, of);
    if (!source) continue;
    page.add(
      'fleetlog_source_running',
      'gauge',
      'Whether the source works',
      Number(source.condition === 'running'),
      of,
    );
    page.add(
      'fleetlog_source_malformed_total',
      'counter',
      'Records that made no sense',
      source.malformed,
      of,
    );
    page.add(
      'fleetlog_source_overruns_total',
      'counter',
      'Frames or overruns lost before the gateway',
      source.overruns ?? 0,
      of,
    );
    for (const bus of buses ?? []) addBus(page, stream, bus);
  }
  for (const [stream, list] of Object.entries(ids ?? {})) {
    for (const { bus, id, frames, remote } of list) {
      const of = { stream, bus, id, ...(remote && { remote: 'true' }) };
      page.add('fleetlog_can_id_frames_total', 'counter', 'Frames of an identifier', frames, of);
    }
  }
  return page.text();
}

function addBus(page: Page, stream: string, report: BusReport): void {
  const { bus, load, controller, bitrate } = report;
  const of = { stream, bus };
  page.add('fleetlog_can_frames_total', 'counter', 'Frames heard', report.frames, of);
  page.add(
    'fleetlog_can_error_frames_total',
    'counter',
    'Error frames of the driver',
    report.errorFrames,
    of,
  );
  page.add('fleetlog_can_frames_per_second', 'gauge', 'Within the last second', report.framesPerSecond, of);
  if (load !== undefined)
    page.add('fleetlog_can_load_ratio', 'gauge', 'Time that frames take on the bus', load, of);
  if (bitrate !== undefined) page.add('fleetlog_can_bitrate', 'gauge', 'Bits a second', bitrate, of);
  if (!controller) return;
  const { state, transmitErrors, receiveErrors } = controller;
  page.add('fleetlog_can_up', 'gauge', 'Whether the interface is up', Number(controller.up), of);
  if (state !== undefined)
    page.add('fleetlog_can_state', 'gauge', "The controller's state", 1, { ...of, state });
  if (transmitErrors !== undefined && receiveErrors !== undefined) {
    const name = 'fleetlog_can_error_counter';
    page.add(name, 'gauge', "The controller's error counters", transmitErrors, {
      ...of,
      direction: 'transmit',
    });
    page.add(name, 'gauge', "The controller's error counters", receiveErrors, {
      ...of,
      direction: 'receive',
    });
  }
  const { busErrors, warnings, passives, busOffs, arbitrationLost, restarts } = controller;
  const events = {
    bus: busErrors,
    warning: warnings,
    passive: passives,
    'bus-off': busOffs,
    'arbitration-lost': arbitrationLost,
    restart: restarts,
  };
  for (const [event, count] of Object.entries(events)) {
    if (count === undefined) continue;
    page.add('fleetlog_can_controller_events_total', 'counter', 'What its driver counted', count, {
      ...of,
      event,
    });
  }
}

/** Collects samples by metric, as the format wants them. */
class Page {
  private readonly metrics = new Map<string, { head: string; samples: string[] }>();

  add(name: string, type: 'gauge' | 'counter', help: string, value: number, labels: Labels = {}): void {
    let metric = this.metrics.get(name);
    if (!metric) {
      metric = { head: `# HELP ${name} ${help}.\n# TYPE ${name} ${type}\n`, samples: [] };
      this.metrics.set(name, metric);
    }
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`);
    metric.samples.push(`${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`);
  }

  text(): string {
    return [...this.metrics.values()].map(({ head, samples }) => head + samples.join('')).join('');
  }
}

const escaped = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

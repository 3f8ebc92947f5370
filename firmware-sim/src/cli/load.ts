import { type Command, InvalidArgumentError } from 'commander';
import { AnswerIsNo, describeCommand, stopSignal } from '@fleetlog/shared/cli';
import { FleetlogError } from '@fleetlog/shared/errors';
import { runLoad } from '../load/load.js';
import { loadJson, loadText, progressLine } from '../load/report.js';
import { loadHtml } from '../report/load-html.js';
import { writePage } from '../report/page.js';
import { parseDuration } from './values.js';

interface LoadFlags {
  mqtt: string;
  gateways: number;
  framesPerSecond: number;
  /** µs, as all times here. */
  duration: number;
  interval: number;
  think?: number;
  rampUp: number;
  storm?: number;
  stormShare: number;
  processes: number;
  html?: string;
  json: boolean;
}

const BATCH_FRAMES_MAX = 100_000;

/** `fleetlog-sim load`. */
export function addLoadCommand(sim: Command): void {
  describeCommand(
    sim.command('load'),
    'Many gateways at once, from few processes: how much a cloud takes, and how long it needs (status 3: not all was acknowledged).',
    [
      'fleetlog-sim load --gateways 100 --frames-per-second 2000 --duration 60s',
      'fleetlog-sim load --gateways 10000 --frames-per-second 200 --duration 5min --ramp-up 60s --processes 2',
      'fleetlog-sim load --gateways 1000 --frames-per-second 500 --duration 2min --storm 30s --storm-share 0.5 --html load.html',
    ],
  )
    .option('--mqtt <url>', 'the broker', 'mqtt://127.0.0.1:1883')
    .requiredOption('--gateways <n>', 'how many, 1 to 60000', counter(60_000))
    .requiredOption('--frames-per-second <n>', 'CAN frames of each gateway', counter(1_000_000))
    .requiredOption('--duration <time>', 'how long, after the ramp-up', parseDuration)
    .option('--interval <time>', 'time between two batches of a gateway', parseDuration, 1e6)
    .option(
      '--think <time>',
      'longer pauses between batches, at random: so long in addition, on the mean',
      parseDuration,
    )
    .option('--ramp-up <time>', 'until all are connected', parseDuration, 1e6)
    .option('--storm <time>', 'every so often many lose their connection in one moment', parseDuration)
    .option('--storm-share <part>', 'how many of them, 0 to 1', parseShare, 1)
    .option('--processes <n>', 'that do the work', counter(64), 1)
    .option('--html <file>', 'write the report as a page with plots, in one file')
    .option('--json', 'print the report as JSON', false)
    .action(async (flags: LoadFlags) => {
      const { hostname, port, protocol } = brokerOf(flags.mqtt);
      if (protocol !== 'mqtt:')
        throw new FleetlogError('FLEETLOG_USAGE', 'A load speaks plain MQTT: give mqtt://HOST:PORT.');
      const framesPerBatch = Math.max(1, Math.round((flags.framesPerSecond * flags.interval) / 1e6));
      if (framesPerBatch > BATCH_FRAMES_MAX) {
        throw new FleetlogError(
          'FLEETLOG_USAGE',
          `A batch would have ${framesPerBatch} frames; give a shorter --interval.`,
        );
      }
      const options = {
        host: hostname,
        port: Number(port || 1883),
        gateways: flags.gateways,
        framesPerBatch,
        intervalMs: flags.interval / 1000,
        thinkMs: (flags.think ?? 0) / 1000,
        durationMs: flags.duration / 1000,
        rampUpMs: flags.rampUp / 1000,
        stormEveryMs: (flags.storm ?? 0) / 1000,
        stormShare: flags.stormShare,
        window: 64,
      };
      const report = await runLoad(options, Math.min(flags.processes, flags.gateways), {
        signal: stopSignal(),
        onProgress: (elapsedMs, now, before) =>
          void process.stderr.write(`${progressLine(elapsedMs, now, before, framesPerBatch)}\n`),
      });
      if (flags.html !== undefined) await writePage(flags.html, loadHtml(report));
      process.stdout.write(flags.json ? `${JSON.stringify(loadJson(report))}\n` : loadText(report));
      if (report.unacknowledged + report.counters.refused > 0) throw new AnswerIsNo();
    });
}

function brokerOf(text: string): URL {
  try {
    return new URL(text);
  } catch (cause) {
    throw new FleetlogError('FLEETLOG_USAGE', `--mqtt must be mqtt://HOST:PORT, not ${text}.`, { cause });
  }
}

const counter = (max: number) => (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw new InvalidArgumentError(`Give a whole number from 1 to ${max}.`);
  }
  return value;
};

function parseShare(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1))
    throw new InvalidArgumentError('Give a number from 0 to 1.');
  return value;
}

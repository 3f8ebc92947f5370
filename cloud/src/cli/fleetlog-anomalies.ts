import { Option, type Command } from 'commander';
import { stopSignal } from '@fleetlog/shared/cli';
import { FleetlogError } from '@fleetlog/shared/errors';
import { systemClock } from '@fleetlog/shared/util';
import { parseDuration } from '../api/time.js';
import { AnomalyWatcher, type AnomalyOptions, type AnomalyScore } from '../anomalies/anomaly-watcher.js';
import { LogClient } from '../client/index.js';
import { contextOf, createSubcommand, type CliStreams } from './fleetlog-context.js';

interface Options {
  signal: string[];
  gateway?: string[];
  every: string;
  method: AnomalyOptions['method'];
  memory: string;
  season: AnomalyOptions['season'];
  /** False where nothing is to be learned. */
  learn: string | false;
  above: string;
  group: string;
  from?: string;
  untilEnd: boolean;
}

export function anomaliesCommand(streams: CliStreams): Command {
  return createSubcommand(
    'anomalies',
    'Scores signals as a consumer of the log: how many deviations the mean of each minute is from what was usual.\n' +
      'What is usual it learns from the log when it begins, and forgets.',
    [
      'fleetlog anomalies --signal bearing_vibration --season day',
      'fleetlog anomalies --signal CoolantTemp --gateway truck-17 --method robust --memory 6h --from earliest --until-end --json',
    ],
  )
    .requiredOption('--signal <names...>', 'signals, as for fleetlog query')
    .option('--gateway <ids...>', 'only these gateways')
    .option('--every <length>', 'whose mean is judged', '1m')
    .addOption(
      new Option('--method <name>', 'ewma: mean and deviation that forget; robust: median of a window')
        .choices(['ewma', 'robust'])
        .default('ewma'),
    )
    .option(
      '--memory <length>',
      'half-life, or length of the window; with a season, of the hours that are alike',
      '2h',
    )
    .addOption(
      new Option('--season <length>', 'compare each hour with the same hour of other days, or weeks')
        .choices(['none', 'day', 'week'])
        .default('none'),
    )
    .option('--learn <length>', 'how far it looks back when it begins', '1d')
    .option('--no-learn', 'begin without knowing anything')
    .option('--above <score>', 'say only what is at least so many deviations off', '4')
    .option('--group <name>', 'group of consumers, whose checkpoint this is', 'anomalies')
    .option('--from <where>', 'where a new group begins: earliest, latest (default), a time of receipt')
    .option('--until-end', 'end with what is in the log now', false)
    .action(async (options: Options, command: Command) => {
      const context = contextOf(command, streams);
      const { out, stderr } = context;
      const { group, from, untilEnd } = options;
      const above = Number(options.above);
      if (!(above >= 0)) throw new FleetlogError('FLEETLOG_USAGE', '--above is a number, 0 or more.');
      const watcher = new AnomalyWatcher(context.api, anomalyOptions(options), () => systemClock.nowUs());
      const signal = stopSignal();
      const onRetry = ({ message }: Error): void => void stderr.write(`fleetlog: ${message}\n`);
      const { url } = command.optsWithGlobals<{ url: string }>();
      const reading = { group, ...(from !== undefined && { from }), untilEnd, signal, onRetry };
      try {
        for await (const { header } of new LogClient(url).read(reading)) {
          for await (const anomaly of watcher.batch(header)) {
            if (Math.abs(anomaly.score) < above) continue;
            await out.write(context.json ? `${JSON.stringify(anomaly)}\n` : anomalyText(anomaly));
          }
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      }
      await out.finish();
    });
}

function anomalyOptions({ signal, gateway, every, method, memory, season, learn }: Options): AnomalyOptions {
  const [everyUs, memoryUs] = [every, memory].map(parseDuration);
  if (everyUs < 100_000 || everyUs > 3.6e9)
    throw new FleetlogError('FLEETLOG_USAGE', '--every is from 100ms to 1h.');
  const remembered = Math.round(memoryUs / everyUs);
  if (remembered < 10 || remembered > 100_000) {
    throw new FleetlogError('FLEETLOG_USAGE', '--memory is at least 10, and at most 100,000 times --every.');
  }
  return {
    signals: signal,
    gateways: gateway,
    everyUs,
    method,
    memory: remembered,
    season,
    learnUs: learn === false ? 0 : parseDuration(learn),
  };
}

const anomalyText = ({ time, gateway, signal, value, expected, score }: AnomalyScore): string =>
  `${time} ${score.toFixed(1).padStart(7)} ${gateway} ${signal} = ${short(value)}, expected ${short(expected)}\n`;

const short = (value: number): string => String(Number(value.toPrecision(6)));

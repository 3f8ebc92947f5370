import type { Command } from 'commander';
import { stopSignal } from '@fleetlog/shared/cli';
import { FleetlogError } from '@fleetlog/shared/errors';
import { systemClock } from '@fleetlog/shared/util';
import { parseDuration } from '../api/time.js';
import { LogClient } from '../client/index.js';
import { LiveState, type GatewayState } from '../live/live-state.js';
import { contextOf, createSubcommand, type CliStreams } from './fleetlog-context.js';

interface LiveCommandOptions {
  match?: string;
  within: string;
  every: string;
  to?: string;
  group: string;
  from?: string;
  untilEnd: boolean;
}

export function liveCommand(streams: CliStreams): Command {
  return createSubcommand(
    'live',
    'What is known of each gateway now, said anew when the log has news of it: the last value of each signal. As a\n' +
      'consumer of the log; also to a broker, one retained message for each gateway.',
    [
      'fleetlog live --match position',
      'fleetlog live --match speed --every 5s --json',
      'fleetlog live --to mqtt://127.0.0.1:1883/fleet/live',
    ],
  )
    .option('--match <text>', 'only signals whose names hold this, in any case')
    .option('--within <length>', 'how far to look back for a value', '1h')
    .option('--every <length>', 'say it at most so often for a gateway', '1s')
    .option('--to <url>', 'also to mqtt://HOST:PORT/PREFIX, retained, topic PREFIX/GATEWAY')
    .option('--group <name>', 'group of consumers, whose checkpoint this is', 'live')
    .option('--from <where>', 'where a new group begins: earliest, latest (default), a time of receipt')
    .option('--until-end', 'end with what is in the log now', false)
    .action(async (options: LiveCommandOptions, command: Command) => {
      const context = contextOf(command, streams);
      const { match, within, group, from, untilEnd } = options;
      const everyMs = parseDuration(options.every) / 1000;
      if (everyMs < 100) throw new FleetlogError('FLEETLOG_USAGE', '--every is at least 100ms.');
      const broker =
        options.to === undefined
          ? undefined
          : await (await import('../client/broker.js')).connectBroker(options.to, 'fleetlog/live');
      const state = new LiveState(context.api, { match, within }, () => systemClock.nowUs());
      const signal = stopSignal();
      const onRetry = ({ message }: Error): void => void context.stderr.write(`fleetlog: ${message}\n`);
      const say = async (): Promise<void> => {
        for await (const news of state.news()) {
          const line = JSON.stringify(news);
          await context.out.write(context.json ? `${line}\n` : stateText(news));
          await broker?.client.publishAsync(`${broker.prefix}/${news.gateway}`, line, {
            qos: 1,
            retain: true,
          });
        }
      };
      const { url } = command.optsWithGlobals<{ url: string }>();
      const ended = new AbortController();
      const reading = {
        group,
        ...(from !== undefined && { from }),
        untilEnd,
        signal: AbortSignal.any([signal, ended.signal]),
        onRetry,
      };
      const saying = (async () => {
        while (!ended.signal.aborted) {
          await systemClock.sleep(everyMs, ended.signal).catch(() => undefined); // the loop looks at the signal
          await say();
        }
      })();
      saying.catch((error: unknown) => ended.abort(error));
      try {
        for await (const { header } of new LogClient(url).read(reading)) state.touch(header.gateway);
        ended.abort();
        await saying;
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        await broker?.client.endAsync(true);
      }
      await context.out.finish();
    });
}

function stateText({ gateway, vehicle, time, signals }: GatewayState): string {
  const values = Object.entries(signals).map(
    ([name, { value, unit, label }]) =>
      `  ${name} = ${label ?? valueText(value)}${unit === '' ? '' : ` ${unit}`}\n`,
  );
  return `${time} ${gateway}${vehicle === undefined ? '' : ` (${vehicle})`}\n${values.join('')}`;
}

const valueText = (value: number | null): string =>
  value === null ? 'nan' : String(Number(value.toPrecision(12)));

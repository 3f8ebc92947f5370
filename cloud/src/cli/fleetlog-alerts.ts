import type { Command } from 'commander';
import { stopSignal } from '@fleetlog/shared/cli';
import { systemClock } from '@fleetlog/shared/util';
import { FleetlogError } from '@fleetlog/shared/errors';
import { loadRules, type Rule } from '../alerts/rules.js';
import { Watcher, type Alert } from '../alerts/watcher.js';
import { alertsOfThePast } from '../alerts/what-if.js';
import { parseTime } from '../api/time.js';
import { LogClient } from '../client/index.js';
import { contextOf, createSubcommand, type CliContext, type CliStreams } from './fleetlog-context.js';

interface AlertOptions {
  rules: string;
  group: string;
  from?: string;
  untilEnd: boolean;
  past: boolean;
  gateway?: string[];
  to?: string;
}

export function alertsCommand(streams: CliStreams): Command {
  return createSubcommand(
    'alerts',
    'Watches signals by rules, as a consumer of the log: values above or below a bound, rates of change, signals that\n' +
      'are missing; told to webhooks, by MQTT, and here. An alert is told before its batch is committed.',
    [
      'fleetlog alerts --rules rules.yaml',
      'fleetlog alerts --rules rules.yaml --past --from -7d --to -1d --gateway truck-17',
    ],
  )
    .requiredOption('--rules <file>', 'rules, YAML')
    .option('--group <name>', 'group of consumers, whose checkpoint this is', 'alerts')
    .option(
      '--from <where>',
      'where a new group begins: earliest, latest (default), a time of receipt; with --past the first event time',
    )
    .option('--until-end', 'end with what is in the log now', false)
    .option(
      '--past',
      'say what these rules would have said, in event time and without a group; nobody else is told',
      false,
    )
    .option('--to <time>', 'with --past: the last event time, exclusive (default: now)')
    .option('--gateway <id...>', 'with --past: only these gateways')
    .action(async (options: AlertOptions, command: Command) => {
      const context = contextOf(command, streams);
      const { out, stderr } = context;
      const { rules, webhooks, mqtt } = loadRules(options.rules);
      if (options.past) return past(context, rules, options);
      if (options.to !== undefined || options.gateway) {
        throw new FleetlogError('FLEETLOG_USAGE', '--to and --gateway go with --past.');
      }
      const signal = stopSignal();
      const onTrouble = (text: string): void => void stderr.write(`fleetlog: ${text}\n`);
      const { Notifier } = await import('../alerts/notifier.js'); // no other command needs MQTT
      await using notifier = await Notifier.open({ webhooks, mqtt, clock: systemClock, signal, onTrouble });
      const watcher = new Watcher(context.api, rules, () => systemClock.nowUs());
      const { url } = command.optsWithGlobals<{ url: string }>();
      const { group, from, untilEnd } = options;
      const onRetry = ({ message }: Error): void => onTrouble(message);
      const reading = { group, ...(from !== undefined && { from }), untilEnd, signal, onRetry };
      try {
        for await (const { header } of new LogClient(url).read(reading)) {
          for await (const alert of watcher.batch(header)) {
            await out.write(context.json ? `${JSON.stringify(alert)}\n` : alertText(alert));
            await notifier.tell(alert);
          }
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      }
      await out.finish();
    });
}

async function past(
  { api, out, json }: CliContext,
  rules: readonly Rule[],
  { from = 'earliest', to = 'now', gateway: gateways }: AlertOptions,
): Promise<void> {
  const nowUs = systemClock.nowUs();
  const fromUs = from === 'earliest' ? Number.MIN_SAFE_INTEGER : parseTime(from, nowUs);
  const watcher = new Watcher(api, rules, () => systemClock.nowUs());
  let alerts = 0;
  for await (const alert of alertsOfThePast(api, watcher, { gateways, fromUs, toUs: parseTime(to, nowUs) })) {
    await out.write(json ? `${JSON.stringify(alert)}\n` : alertText(alert));
    alerts++;
  }
  if (alerts === 0 && !json) await out.write('These rules would have said nothing.\n');
  await out.finish();
}

const alertText = ({ time, state, rule, gateway, signal, value }: Alert): string =>
  `${time} ${state.padEnd(7)} ${rule} ${gateway} ${signal}${value === undefined ? '' : ` = ${Number(value.toPrecision(6))}`}\n`;

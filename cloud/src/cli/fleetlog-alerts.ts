import type { Command } from 'commander';
import { stopSignal } from '@fleetlog/shared/cli';
import { systemClock } from '@fleetlog/shared/util';
import { loadRules } from '../alerts/rules.js';
import { Watcher, type Alert } from '../alerts/watcher.js';
import { LogClient } from '../client/index.js';
import { contextOf, createSubcommand, type CliStreams } from './fleetlog-context.js';

interface AlertOptions {
  rules: string;
  group: string;
  from?: string;
  untilEnd: boolean;
}

export function alertsCommand(streams: CliStreams): Command {
  return createSubcommand(
    'alerts',
    'Watches signals by rules, as a consumer of the log: values above or below a bound, rates of change, signals that\n' +
      'are missing; told to webhooks, by MQTT, and here. An alert is told before its batch is committed.',
    [
      'fleetlog alerts --rules rules.yaml',
      'fleetlog alerts --rules rules.yaml --group what-if --from -1d --until-end --json',
    ],
  )
    .requiredOption('--rules <file>', 'rules, YAML')
    .option('--group <name>', 'group of consumers, whose checkpoint this is', 'alerts')
    .option('--from <where>', 'where a new group begins: earliest, latest (default), a time of receipt')
    .option('--until-end', 'end with what is in the log now', false)
    .action(async (options: AlertOptions, command: Command) => {
      const context = contextOf(command, streams);
      const { out, stderr } = context;
      const { rules, webhooks, mqtt } = loadRules(options.rules);
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

const alertText = ({ time, state, rule, gateway, signal, value }: Alert): string =>
  `${time} ${state.padEnd(7)} ${rule} ${gateway} ${signal}${value === undefined ? '' : ` = ${Number(value.toPrecision(6))}`}\n`;

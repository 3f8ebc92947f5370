import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { AnswerIsNo, describeCommand, stopSignal } from '@fleetlog/shared/cli';
import { FleetlogError } from '@fleetlog/shared/errors';
import { systemClock } from '@fleetlog/shared/util';
import { ledgerOf } from '../fleet/ledger-of.js';
import { LEDGER_FILE, runScenario } from '../fleet/run.js';
import { happeningText, timelineOf } from '../fleet/timeline.js';
import { readLedger } from '../ledger/ledger.js';
import { writePage } from '../report/page.js';
import { verdictHtml } from '../report/verdict-html.js';
import { loadScenario } from '../scenario/load.js';
import { CloudLog } from '../verdict/cloud-log.js';
import { verdictText } from '../verdict/report.js';
import { judge, type Verdict } from '../verdict/verdict.js';

interface RunFlags {
  data?: string;
  url?: string;
  mqtt?: string;
  speed?: number;
  parallel: number;
  html?: string;
  json: boolean;
}

/** `fleetlog-sim run`, `ledger` and `verify`. */
export function addFleetCommands(sim: Command): void {
  describeCommand(
    sim.command('run').argument('<scenario>', 'a scenario in YAML'),
    'Drives a fleet with real gateways, and tells whether the log lost, doubled, altered or reordered anything (status 3).',
    [
      'fleetlog-sim run firmware-sim/scenarios/three-cars.yaml',
      'fleetlog-sim run firmware-sim/scenarios/three-cars.yaml --speed max --json',
      'fleetlog-sim run town.yaml --url http://127.0.0.1:8080 --mqtt mqtt://127.0.0.1:1883',
    ],
  )
    .option('--data <folder>', 'recordings, buffers, ledger (default: .fleetlog-sim/NAME-TIME)')
    .option('--url <url>', "the API of a cloud that runs (default: one of the run's own)")
    .option('--mqtt <url>', 'the broker of that cloud')
    .option('--speed <factor>', 'wins over the scenario: 1, a factor, or max (virtual time)', parseSpeed)
    .option('--parallel <n>', 'gateways at one time in virtual time', parseParallel, 4)
    .option('--html <file>', 'write the verdict as a page with plots, in one file')
    .option('--json', 'print the verdict as JSON', false)
    .action(async (path: string, flags: RunFlags) => {
      const plan = loadScenario(path);
      if (flags.speed !== undefined) plan.speed = flags.speed;
      const stamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
      const folder = resolve(flags.data ?? join('.fleetlog-sim', `${plan.name}-${stamp}`));
      const say = (text: string): void => void process.stderr.write(`fleetlog-sim: ${text}\n`);
      const cloud = cloudOf(flags);
      const parts = { clock: systemClock, signal: stopSignal(), say };
      const verdict = await runScenario({ plan, folder, cloud, parallel: flags.parallel }, parts);
      print(verdict, flags.json);
      if (flags.html !== undefined) {
        const happened = plan.speed === Infinity ? [] : timelineOf(plan).map(happeningText);
        await writePage(flags.html, verdictHtml(verdict, readLedger(join(folder, LEDGER_FILE)), happened));
      }
      if (cloud)
        say(`\`fleetlog-sim verify ${join(folder, LEDGER_FILE)} --url ${cloud.httpUrl}\` repeats it.`);
      else say(`Data in ${folder}; \`fleetlog-cloud --data ${join(folder, 'cloud')}\` serves them.`);
      if (!verdict.isFlawless) throw new AnswerIsNo();
    });
  describeCommand(
    sim.command('ledger').argument('<scenario>', 'a scenario in YAML'),
    'Says what the fleet of a scenario would say in virtual time, as the hash of its ledger: the same on every machine.',
    ['fleetlog-sim ledger firmware-sim/scenarios/mixed-fleet.yaml'],
  )
    .option('--json', 'print records and hash as JSON', false)
    .action(async (path: string, { json }: { json: boolean }) => {
      const { hash, records } = await ledgerOf(loadScenario(path));
      const text = json
        ? JSON.stringify({ hash, records })
        : `${hash}  ${records.toLocaleString('en-US')} records`;
      process.stdout.write(`${text}\n`);
    });
  describeCommand(
    sim.command('verify').argument('<ledger>', 'the ledger.json of a run'),
    'Holds the log against what the fleet of a run said, once more (status 3 where they differ).',
    ['fleetlog-sim verify .fleetlog-sim/three-cars-20261123080000/ledger.json --url http://127.0.0.1:8080'],
  )
    .option('--url <url>', 'the API of the cloud', process.env['FLEETLOG_URL'] ?? 'http://127.0.0.1:8080')
    .option('--html <file>', 'write the verdict as a page with plots, in one file')
    .option('--json', 'print the verdict as JSON', false)
    .action(async (path: string, { url, html, json }: { url: string; html?: string; json: boolean }) => {
      const ledger = readLedger(path);
      const verdict = await judge(ledger, new CloudLog(url, stopSignal()));
      print(verdict, json);
      if (html !== undefined) await writePage(html, verdictHtml(verdict, ledger));
      if (!verdict.isFlawless) throw new AnswerIsNo();
    });
}

function print(verdict: Verdict, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(verdict)}\n` : verdictText(verdict));
}

function cloudOf({ url, mqtt }: RunFlags): { mqttUrl: string; httpUrl: string } | undefined {
  if (url === undefined && mqtt === undefined) return undefined;
  if (url !== undefined && mqtt !== undefined) return { httpUrl: url, mqttUrl: mqtt };
  throw new FleetlogError(
    'FLEETLOG_USAGE',
    'A cloud that runs needs both: --url for its API, --mqtt for its broker.',
  );
}

function parseSpeed(text: string): number {
  const value = text === 'max' ? Infinity : Number(text);
  if (!(value > 0) || text.trim() === '') throw new InvalidArgumentError('Give a factor above 0, or max.');
  return value;
}

function parseParallel(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 64) throw new InvalidArgumentError('Give 1 to 64.');
  return value;
}

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AnswerIsNo } from '@fleetlog/shared/cli';
import type { Clock } from '@fleetlog/shared/util';
import { askCloud, type CloudFacts } from './cloud-facts.js';
import { demoVehicles, planRecordings, planVehicles, type PlannedGateway } from './fleet-plan.js';
import { teachCloud } from '../fleet/databases.js';
import { announcement, failureOf, Processes, type RunningProcess } from '../processes/processes.js';
import { Rates, type GatewayRow } from './rates.js';
import { describeRow, Screen } from './screen.js';
import { LAP_M, TownLink, TUNNEL, type Place } from './town.js';

export interface DemoOptions {
  /** Files to feed; invented vehicles where there are none. */
  recordings: readonly string[];
  dataFolder: string;
  /** 0 takes a free one. */
  mqttPort: number;
  httpPort: number;
  /** End after so long, with a verdict. */
  seconds: number | undefined;
}

export interface DemoParts {
  output: NodeJS.WriteStream;
  clock: Clock;
  signal: AbortSignal;
}

const script = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const cloudScript = script('cloud/dist/cli/cloud-bin.js');
const gatewayScript = script('gateway/dist/cli/bin.js');

/**
 * The whole product at work, in processes of their own, until the signal aborts. Errors: the sentence of a process
 * that can't work (a port is taken, a folder is in use), FLEETLOG_USAGE for a recording, AnswerIsNo with `seconds`.
 */
export async function runDemo(options: DemoOptions, parts: DemoParts): Promise<void> {
  const { dataFolder, recordings } = options;
  await mkdir(dataFolder, { recursive: true });
  await using processes = await Processes.create(join(dataFolder, 'logs'));

  const cloud = processes.start('cloud', cloudScript, ['--config', await writeCloudConfig(options)]);
  const ready = await announcement(cloud, /^ready mqtt=(\S+) http=(\S+)$/m);
  const mqttUrl = `mqtt://${ready[1]}`;
  const httpUrl = `http://${ready[2]}`;

  const finite = recordings.length > 0;
  await using links = new AsyncDisposableStack();
  const town: TownLink[] = [];
  if (!finite) {
    for (const vehicle of demoVehicles) {
      town.push(links.use(await TownLink.open(Number(new URL(mqttUrl).port), vehicle)));
    }
    await teachCloud(httpUrl, demoVehicles, parts.signal);
  }
  const planned = finite
    ? await planRecordings(recordings, dataFolder, mqttUrl)
    : await planVehicles(
        dataFolder,
        town.map(({ url }) => url),
      );
  const gateways = planned.map(({ id, configPath }) =>
    processes.start(id, gatewayScript, [
      '--config',
      configPath,
      ...(finite ? ['--until-drained', '--quiet'] : []),
    ]),
  );
  const show = new Show(options, parts, planned, town, httpUrl);
  const rows = await show.run(watch(cloud, gateways));
  // Gateways first, so that what they have reaches the cloud: out of the tunnel, too.
  for (const link of town) link.leaveTunnel();
  await processes.stop(gateways);
  if (options.seconds !== undefined) judge(rows, parts.output);
}

interface Watch {
  /** Rejects with the sentence of the first process that failed. */
  failure: Promise<never>;
  /** Gateways that have nothing left to do. */
  done: () => number;
}

function watch(cloud: RunningProcess, gateways: readonly RunningProcess[]): Watch {
  let done = 0;
  const failure = Promise.withResolvers<never>();
  void cloud.exit.then(() => failure.reject(failureOf(cloud)));
  for (const gateway of gateways) {
    void gateway.exit.then((status) => {
      if (status === 0) done++;
      else failure.reject(failureOf(gateway));
    });
  }
  failure.promise.catch(() => undefined); // after the end of the show nobody asks any more
  return { failure: failure.promise, done: () => done };
}

/** What is seen of the demo while it runs. */
class Show {
  private readonly screen: Screen;
  private readonly rates = new Rates();
  private drainedSaid = false;
  private places: (Place | undefined)[] = [];

  constructor(
    private readonly options: DemoOptions,
    private readonly parts: DemoParts,
    private readonly planned: readonly PlannedGateway[],
    /** Where the gateways are; empty with recordings. */
    private readonly town: readonly TownLink[],
    private readonly httpUrl: string,
  ) {
    this.screen = new Screen(parts.output);
  }

  /** Shows until the end; returns what was seen last. */
  async run({ failure, done }: Watch): Promise<GatewayRow[]> {
    const { clock, signal } = this.parts;
    const { seconds = Infinity, dataFolder, recordings } = this.options;
    const beganMs = clock.monotonicUs() / 1000;
    this.screen.say(`Data in ${dataFolder}, API at ${this.httpUrl}. Ctrl-C ends it; the next start goes on.`);
    for (const { id, carries, what } of this.planned) this.screen.say(`  ${id}: ${carries} ← ${what}`);
    if (this.town.length > 0) this.screen.say(tunnelNote);
    for (const note of this.parts.output.isTTY ? [] : this.commands()) this.screen.say(note);
    let rows: GatewayRow[] = [];
    while (!signal.aborted) {
      const nowMs = clock.monotonicUs() / 1000;
      this.places = this.town.map((link) => link.advanceTo((nowMs - beganMs) * 1000));
      // No answer in time: the machine is busy; a cloud that is gone ends the demo by `failure`.
      const facts = await Promise.race([failure, askCloud(this.httpUrl).catch(() => undefined)]);
      if (facts) rows = this.look(facts, nowMs);
      if (recordings.length > 0 && done() === this.planned.length) this.sayDrained();
      if (nowMs - beganMs >= seconds * 1000) break;
      await Promise.race([failure, clock.sleep(1000, signal).catch(() => undefined)]);
    }
    return rows;
  }

  private look(facts: CloudFacts, nowMs: number): GatewayRow[] {
    const ids = this.planned.map(({ id }) => id);
    const rows = this.rates
      .rows(facts, ids, nowMs, this.parts.clock.nowUs() / 1000)
      .map((row, i) => ({ ...row, place: this.places[i] }));
    this.screen.show({ rows, logBytes: facts.status.log.bytes, notes: ['', ...this.commands()] }, nowMs);
    return rows;
  }

  private sayDrained(): void {
    if (this.drainedSaid) return;
    this.drainedSaid = true;
    this.screen.say('All recordings are in the log. The cloud goes on serving; Ctrl-C ends it.\n');
  }

  private commands(): string[] {
    const url = this.httpUrl === 'http://127.0.0.1:8080' ? '' : ` --url ${this.httpUrl}`;
    const [{ id, carries }] = this.planned;
    const format = carries.startsWith('can') ? 'candump' : 'lines';
    const [stream] = carries.split(',');
    return [
      'Try in another terminal:',
      `  npx fleetlog gateways${url}`,
      `  npx fleetlog tail${url} --gateway ${id}`,
      ...(this.town.length > 0
        ? [
            `  npx fleetlog latest${url} --gateway ${id}`,
            `  npx fleetlog query${url} --gateway ${id} --signal gps0/position/speed StateOfCharge --from -1m --every 5s`,
            `  npx fleetlog signals${url} --gateway truck-17 --match speed`,
          ]
        : []),
      `  npx fleetlog export${url} --gateway ${id} --stream ${stream} --from -10s --format ${format}`,
      `  npx fleetlog gaps${url}`,
    ];
  }
}

const tunnelNote =
  `They drive round a town, ${LAP_M} m, with a tunnel from ${TUNNEL.fromM} m to ${TUNNEL.toM} m: no satellites and no ` +
  'network in there. Behind it live data come first and the backlog beside them; what the truck gave up is a gap that explains itself.';

/** The demo keeps what a disk has room for. Returns the file. */
async function writeCloudConfig({ dataFolder, mqttPort, httpPort }: DemoOptions): Promise<string> {
  const path = join(dataFolder, 'cloud.yaml');
  const config = {
    data: join(dataFolder, 'cloud'),
    mqtt: { listen: `127.0.0.1:${mqttPort}` },
    http: { listen: `127.0.0.1:${httpPort}` },
    retention: { rules: [{ maxAge: '7d', maxBytes: '2GB' }] },
  };
  await writeFile(path, `${JSON.stringify(config, undefined, 2)}\n`); // JSON is YAML
  return path;
}

function judge(rows: readonly GatewayRow[], output: NodeJS.WriteStream): void {
  output.write(`\n${rows.map(describeRow).join('\n')}\n`);
  const silent = rows.filter(({ batches }) => batches === 0).map(({ gateway }) => gateway);
  const torn = rows.filter(({ missingBatches }) => missingBatches > 0).map(({ gateway }) => gateway);
  if (silent.length + torn.length === 0) {
    output.write('Every gateway got its data through, and nothing is missing.\n');
    return;
  }
  if (silent.length > 0) output.write(`Nothing came of ${silent.join(', ')}.\n`);
  if (torn.length > 0) output.write(`Batches are missing of ${torn.join(', ')}.\n`);
  throw new AnswerIsNo();
}

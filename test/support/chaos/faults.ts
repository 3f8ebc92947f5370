import type { Prng } from '#sim/vehicle/prng.js';
import type { Cloud } from './cloud.js';
import type { Gateway } from './gateway.js';
import type { MqttFaultCounts } from './mqtt-faults.js';
import type { TcpProxy } from './tcp-proxy.js';

export interface FaultCounts extends MqttFaultCounts {
  gatewayKills: number;
  cloudKills: number;
  cuts: number;
  tears: number;
  resets: number;
  halfOpens: number;
  longHalfOpens: number;
}

export const noFaults = (): FaultCounts => ({
  gatewayKills: 0,
  cloudKills: 0,
  cuts: 0,
  tears: 0,
  resets: 0,
  halfOpens: 0,
  longHalfOpens: 0,
  acksDropped: 0,
  batchesLost: 0,
  duplicated: 0,
  reordered: 0,
});

/** Those that happened, for people. */
export const describeFaults = (counts: FaultCounts): string =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');

type Kind = 'gatewayKill' | 'cloudKill' | 'cut' | 'tear' | 'reset' | 'halfOpen';
/** As often as each is named. */
const kinds: readonly Kind[] = [
  'gatewayKill',
  'gatewayKill',
  'gatewayKill',
  'cloudKill',
  'cloudKill',
  'cut',
  'tear',
  'tear',
  'reset',
  'halfOpen',
];

const LONG_SILENCE_MS = 30_000;

/** What goes wrong in a round, drawn from its generator. */
export class Faults {
  private readonly struck: FaultCounts = noFaults();
  /** A half-open link goes on while other things go wrong. */
  private silence: Promise<void> | undefined;

  constructor(
    private readonly prng: Prng,
    private readonly proxy: TcpProxy,
    private readonly cloud: Cloud,
    private readonly gateways: readonly Gateway[],
  ) {}

  /** What went wrong until now. */
  get counts(): FaultCounts {
    return { ...this.struck, ...this.proxy.counts };
  }

  /** Lets things go wrong for about `forMs`; when it resolves cloud and connections are whole again. */
  async strike(forMs: number, longSilence: boolean): Promise<void> {
    const { prng, proxy } = this;
    proxy.rates.dropAck = prng.between(0, 0.6);
    proxy.rates.loseBatch = prng.chance(0.5) ? prng.between(0, 0.1) : 0;
    proxy.rates.duplicate = prng.between(0, 0.4);
    proxy.rates.reorder = prng.between(0, 0.4);
    proxy.latencyMs = prng.chance(0.5) ? prng.below(30) : 0;
    const untilMs = performance.now() + forMs;
    let silenceMs = longSilence ? performance.now() + prng.between(0.1, 0.7) * forMs : Infinity;
    while (performance.now() < untilMs) {
      await sleep(prng.between(50, 1200));
      if (performance.now() > silenceMs && !this.silence) {
        silenceMs = Infinity;
        this.longSilence();
      } else {
        await this.one(kinds[prng.below(kinds.length)]);
      }
    }
    await this.silence;
    if (silenceMs < Infinity) this.longSilence(); // there was no moment for it before
    await this.silence;
    // What is left is still repeated and reordered on its way, but losses would cost time-outs.
    Object.assign(proxy.rates, { dropAck: proxy.rates.dropAck / 3, loseBatch: 0 });
    proxy.latencyMs = 0;
    this.mustRun();
  }

  /** A cloud that ended by itself mustn't be covered up by a kill. */
  private mustRun(): void {
    const { command } = this.cloud;
    if (!command.running) throw new Error(`the cloud ended by itself with status ${command.exitStatus}`);
  }

  private async one(kind: Kind): Promise<void> {
    const { prng, proxy, struck } = this;
    if (kind === 'gatewayKill') await this.killGateway();
    else if (kind === 'cloudKill') await this.killCloud();
    else if (kind === 'halfOpen') {
      if (this.silence) return;
      struck.halfOpens++;
      this.halfOpen(prng.between(200, 2000));
    } else if (kind === 'cut') {
      struck.cuts++;
      proxy.cut();
    } else if (kind === 'tear') {
      struck.tears++;
      proxy.tear();
    } else {
      struck.resets++;
      proxy.reset();
    }
  }

  private async killGateway(): Promise<void> {
    const running = this.gateways.filter(({ command }) => command.running);
    if (running.length === 0) return;
    const { command } = running[this.prng.below(running.length)];
    await command.kill();
    if (command.exitStatus !== null) return; // it ended by itself a moment before
    this.struck.gatewayKills++;
    if (this.prng.chance(0.3)) await sleep(this.prng.between(0, 500));
    command.start();
  }

  private async killCloud(): Promise<void> {
    this.mustRun();
    this.struck.cloudKills++;
    await this.cloud.command.kill();
    if (this.prng.chance(0.3)) await sleep(this.prng.between(0, 500));
    await this.cloud.start();
    this.proxy.brokerPort = this.cloud.mqttPort;
  }

  private longSilence(): void {
    this.struck.longHalfOpens++;
    this.halfOpen(LONG_SILENCE_MS);
  }

  /** Nothing moves for a while; then the link is there again, or it turns out to be dead. */
  private halfOpen(forMs: number): void {
    const { proxy } = this;
    const dead = this.prng.chance(0.5);
    proxy.halfOpen(true);
    this.silence = sleep(forMs).then(() => {
      if (dead) proxy.reset();
      proxy.halfOpen(false);
      this.silence = undefined;
    });
  }
}

/** The moments are what is drawn here: this is no wait for something to have happened. */
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

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
const kinds: readonly Kind[] = [
  'gatewayKill',
  'gatewayKill',
  'cloudKill',
  'cut',
  'tear',
  'reset',
  'halfOpen',
];

const LONG_SILENCE_MS = 30_000;

/** What goes wrong in a round, drawn from its generator. */
export class Faults {
  readonly counts: FaultCounts = noFaults();

  constructor(
    private readonly prng: Prng,
    private readonly proxy: TcpProxy,
    private readonly cloud: Cloud,
    private readonly gateways: readonly Gateway[],
  ) {}

  /** Lets things go wrong for about `forMs`; when it resolves cloud and network are whole again. */
  async strike(forMs: number, longSilence: boolean): Promise<void> {
    const { prng, proxy } = this;
    proxy.rates.dropAck = prng.between(0, 0.6);
    proxy.rates.loseBatch = prng.chance(0.5) ? prng.between(0, 0.1) : 0;
    proxy.rates.duplicate = prng.between(0, 0.4);
    proxy.rates.reorder = prng.between(0, 0.4);
    proxy.latencyMs = prng.chance(0.5) ? prng.below(60) : 0;
    const untilMs = performance.now() + forMs;
    const silenceMs = longSilence ? performance.now() + prng.between(0.1, 0.7) * forMs : Infinity;
    let silent = false;
    while (performance.now() < untilMs) {
      await sleep(prng.between(50, 900));
      if (!silent && performance.now() > silenceMs) {
        silent = true;
        this.counts.longHalfOpens++;
        await this.halfOpen(LONG_SILENCE_MS);
      } else {
        await this.one(kinds[prng.below(kinds.length)]);
      }
    }
    Object.assign(this.counts, proxy.counts);
  }

  private async one(kind: Kind): Promise<void> {
    const { prng, proxy, counts } = this;
    if (kind === 'gatewayKill') await this.killGateway();
    else if (kind === 'cloudKill') await this.killCloud();
    else if (kind === 'halfOpen') {
      counts.halfOpens++;
      await this.halfOpen(prng.between(200, 3000));
    } else if (kind === 'cut') {
      counts.cuts++;
      proxy.cut();
    } else if (kind === 'tear') {
      counts.tears++;
      proxy.tear();
    } else {
      counts.resets++;
      proxy.reset();
    }
  }

  private async killGateway(): Promise<void> {
    const running = this.gateways.filter(({ command }) => command.running);
    if (running.length === 0) return;
    const { command } = running[this.prng.below(running.length)];
    await command.kill();
    if (command.exitStatus === 0) return; // it was done a moment before
    this.counts.gatewayKills++;
    if (this.prng.chance(0.3)) await sleep(this.prng.between(0, 500));
    command.start();
  }

  private async killCloud(): Promise<void> {
    this.counts.cloudKills++;
    await this.cloud.command.kill();
    if (this.prng.chance(0.3)) await sleep(this.prng.between(0, 500));
    await this.cloud.start();
    this.proxy.brokerPort = this.cloud.mqttPort;
  }

  /** Nothing moves for a while; then the link is there again, or it turns out to be dead. */
  private async halfOpen(forMs: number): Promise<void> {
    const { prng, proxy } = this;
    proxy.halfOpen(true);
    await sleep(forMs);
    if (prng.chance(0.5)) proxy.reset();
    proxy.halfOpen(false);
  }
}

/** The moments are what is drawn here: this is no wait for something to have happened. */
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

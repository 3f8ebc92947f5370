import { join } from 'node:path';
import { Prng } from '../vehicle/prng.js';
import type { FaultName } from '../scenario/schema.js';
import { Attackers } from './attackers.js';
import { Card } from './card.js';
import { FalseClock } from './false-clock.js';
import { LinkProxy } from './link-proxy.js';
import type { Mishap } from './mishaps.js';
import type { Happening } from './timeline.js';

const linkFaults: readonly FaultName[] = ['no-network', 'satellite', 'roaming'];
const cardFaults: readonly FaultName[] = ['disk-full', 'disk-readonly', 'disk-error'];
/** Each way: 600 ms there and back, as by a geostationary satellite. */
const SATELLITE_DELAY_MS = 300;

/** What a gateway is started with so that something can go wrong. */
export interface Equipment {
  mqttUrl: string;
  /** Where its buffer lies. */
  dataFolder: string;
  environment: Record<string, string>;
}

/** Power of gateways, by name, and of the cloud, by the empty name. */
export type Power = (gateway: string, isUp: boolean) => void | Promise<void>;

/** The things that go wrong in a run: networks, clocks and cards of gateways, and those who attack the cloud. */
export class Mischief implements AsyncDisposable {
  private readonly links = new Map<string, LinkProxy>();
  private readonly clocks = new Map<string, FalseClock>();
  private readonly cards = new Map<string, Card>();
  private readonly attackers: Attackers;

  private constructor(
    private readonly timeline: readonly Happening[],
    private readonly broker: URL,
    gateways: readonly string[],
    seed: number,
  ) {
    const target = { host: broker.hostname, port: Number(broker.port || 1883) };
    this.attackers = new Attackers(target, gateways, new Prng(seed, 40));
  }

  static prepare(
    timeline: readonly Happening[],
    mqttUrl: string,
    gateways: readonly string[],
    seed: number,
  ): Mischief {
    return new Mischief(timeline, new URL(mqttUrl), gateways, seed);
  }

  /** Errors: FLEETLOG_PLATFORM where this machine can't do what the scenario wants. */
  async equip(gateway: string, folder: string): Promise<Equipment> {
    const meets = (faults: readonly FaultName[]): boolean =>
      this.timeline.some((one) => one.gateway === gateway && faults.includes(one.what));
    const { hostname, port } = this.broker;
    if (meets(linkFaults)) this.links.set(gateway, await LinkProxy.start(Number(port || 1883), hostname));
    if (meets(cardFaults)) this.cards.set(gateway, await Card.insert(folder));
    if (meets(['clock-jump'])) this.clocks.set(gateway, await FalseClock.create(join(folder, 'clock')));
    return {
      mqttUrl: this.links.get(gateway)?.url ?? this.broker.href.replace(/\/$/, ''),
      dataFolder: this.cards.get(gateway)?.path ?? folder,
      environment: this.clocks.get(gateway)?.environment ?? {},
    };
  }

  /** How each fault is done. `excuse`: a gateway that may fail meanwhile, or no more. */
  mishaps(power: Power, excuse: (gateway: string, isExcused: boolean) => void): Record<FaultName, Mishap> {
    const link = (of: Happening): LinkProxy => this.links.get(of.gateway)!;
    const card = (of: Happening): Card => this.cards.get(of.gateway)!;
    // A gateway that starts on a broken card says so and ends.
    const fills: Mishap = async (happening) => {
      const { gateway, isUp } = happening;
      if (!isUp) excuse(gateway, true);
      await (isUp ? card(happening).clear() : card(happening).fill());
      if (isUp) excuse(gateway, false);
    };
    const breaks =
      (fault: (one: Card) => void | Promise<void>): Mishap =>
      async (happening) => {
        const { gateway, isUp } = happening;
        if (!isUp) excuse(gateway, true);
        if (!isUp) return fault(card(happening));
        // Nobody may use a card that is taken out.
        await power(gateway, false);
        await card(happening).repair();
        await power(gateway, true);
        excuse(gateway, false);
      };
    return {
      'no-network': (of) => (of.isUp ? link(of).thaw() : link(of).freeze()),
      satellite: (of) => void (link(of).delayMs = of.isUp ? 0 : SATELLITE_DELAY_MS),
      roaming: (of) => (of.isUp ? link(of).thaw() : link(of).allow(of.budgetBytes ?? 0)),
      'power-cut': ({ gateway, isUp }) => power(gateway, isUp),
      'clock-jump': ({ gateway, isUp, byUs = 0 }) => this.clocks.get(gateway)!.set(isUp ? 0 : byUs),
      'disk-full': fills,
      'disk-readonly': breaks((one) => one.becomeReadOnly()),
      'disk-error': breaks((one) => one.fail()),
      'cloud-restart': ({ isUp }) => power('', isUp),
      hostile: ({ isUp }) => (isUp ? this.attackers.end() : this.attackers.begin()),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.attackers.end();
    for (const one of [...this.links.values(), ...this.cards.values()]) await one[Symbol.asyncDispose]();
  }
}

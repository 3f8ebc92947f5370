import type { Vehicles } from '../api/catalogue-schemas.js';
import type { Latest } from '../api/query-schemas.js';
import type { QueryApi } from '../client/signal-follower.js';

export interface LiveOptions {
  /** Only signals whose names hold this, in any case. */
  match: string | undefined;
  /** What is older than this, counted from the end of its stream, isn't shown: a length such as 1h. */
  within: string;
}

/** What is known of a gateway now. */
export interface GatewayState {
  gateway: string;
  /** Which it is in now; absent where nobody said. */
  vehicle?: string;
  /** Of the newest value. */
  time: string;
  signals: Record<string, { value: number | null; unit: string; time: string; label?: string }>;
}

const vehiclesValidUs = 60_000_000;

/** Which gateways have news, and what is known of them. */
export class LiveState {
  private readonly touched = new Set<string>();
  private vehicles = new Map<string, string>();
  private vehiclesUs: number | undefined;

  constructor(
    private readonly api: QueryApi,
    private readonly options: LiveOptions,
    private readonly nowUs: () => number,
  ) {}

  touch(gateway: string): void {
    this.touched.add(gateway);
  }

  /** States of those that were touched since the last call; nothing of one that has no such signal. Errors: those of the API. */
  async *news(): AsyncGenerator<GatewayState> {
    if (this.touched.size === 0) return;
    await this.learnVehicles();
    const gateways = [...this.touched];
    this.touched.clear();
    for (const gateway of gateways) {
      const state = await this.stateOf(gateway);
      if (state) yield state;
    }
  }

  private async stateOf(gateway: string): Promise<GatewayState | undefined> {
    const { match, within } = this.options;
    const { body } = await this.api.json<Latest>('/v1/latest', { gateway, match, within });
    if (body.signals.length === 0) return undefined;
    const vehicle = this.vehicles.get(gateway);
    const signals: GatewayState['signals'] = {};
    let time = '';
    for (const { name, value, unit, time: said, label } of body.signals) {
      signals[name] = { value, unit, time: said, ...(label !== undefined && { label }) };
      if (said > time) time = said;
    }
    return { gateway, ...(vehicle !== undefined && { vehicle }), time, signals };
  }

  private async learnVehicles(): Promise<void> {
    const nowUs = this.nowUs();
    if (this.vehiclesUs !== undefined && nowUs - this.vehiclesUs < vehiclesValidUs) return;
    const { body } = await this.api.json<Vehicles>('/v1/vehicles', {});
    const now = new Date(nowUs / 1000).toISOString();
    const valid = body.vehicles.filter(({ from, to }) => (!from || from <= now) && (!to || to > now));
    this.vehicles = new Map(valid.map(({ gateway, vehicle }) => [gateway, vehicle]));
    this.vehiclesUs = nowUs;
  }
}

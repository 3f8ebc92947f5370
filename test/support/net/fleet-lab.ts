import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkCloud } from '../chaos/check.js';
import { Cloud } from '../chaos/cloud.js';
import { Gateway, type GatewayOptions } from '../chaos/gateway.js';
import { generatedRecordings } from '../chaos/recordings.js';
import { Mosquitto } from '../mosquitto.js';
import type { Network } from './network.js';

/** Finds a broken link sooner than the product as it comes, so that a test is short. */
export const impatient = {
  ackTimeout: '1s',
  keepAlive: '2s',
  reconnect: '1s',
  connectTimeout: '2s',
};

/** Gateways on one side of a network; the cloud, and perhaps a broker of its own, on the other. */
export class FleetLab implements AsyncDisposable {
  readonly gateways: Gateway[] = [];

  private constructor(
    private readonly folder: string,
    private readonly network: Network,
    readonly cloud: Cloud,
    readonly broker: Mosquitto | undefined,
  ) {}

  static async start(folder: string, network: Network, { mosquitto = false } = {}): Promise<FleetLab> {
    await mkdir(folder, { recursive: true });
    const within = network.within('cloud');
    const host = network.cloudAddress;
    const users = { 'truck-0': 'p', 'truck-1': 'p' };
    const broker = mosquitto
      ? await Mosquitto.start(join(folder, 'broker'), { users, host, within })
      : undefined;
    const config = join(folder, 'cloud.yaml');
    await writeFile(config, JSON.stringify(broker?.cloudConfig() ?? { mqtt: { open: true } }));
    // The same port over all lives: what is behind a name in the field.
    const mqtt = broker ? null : `${host}:18830`;
    const cloud = new Cloud(join(folder, 'cloud'), { args: ['--config', config], within, mqtt });
    const lab = new FleetLab(folder, network, cloud, broker);
    await cloud.start();
    return lab;
  }

  /** Starts a gateway that brings a drive of so many seconds in `overSeconds`, and then ends. */
  async drive(seconds: number, overSeconds: number, more: Partial<GatewayOptions> = {}): Promise<Gateway> {
    const id = `truck-${this.gateways.length}`;
    const { uplink = impatient } = more;
    const gateway = await Gateway.prepare(
      id,
      join(this.folder, id),
      generatedRecordings(70 + this.gateways.length, seconds),
      {
        url: `mqtt://${this.network.cloudAddress}:${this.cloud.mqttPort}`,
        within: this.network.within('gateway'),
        pace: () => seconds / overSeconds,
        ...more,
        uplink: { ...uplink, ...(this.broker && { password: 'p' }) },
      },
    );
    this.gateways.push(gateway);
    gateway.command.start();
    return gateway;
  }

  /** Waits until everything is acknowledged. Returns what isn't as it must be: lost, twice, altered, unexplained. */
  async complaints(timeoutMs: number): Promise<string[]> {
    for (const gateway of this.gateways) await gateway.drained(timeoutMs);
    const expectations = this.gateways.flatMap((gateway) => gateway.expectations);
    return (await checkCloud(this.cloud, expectations)).complaints;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { command } of this.gateways) await command.kill();
    await this.cloud.command.kill();
    await this.broker?.kill();
  }
}

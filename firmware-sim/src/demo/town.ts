import { LinkProxy } from '../fleet/link-proxy.js';
import { physicalKindOf } from '../vehicle/kinds.js';
import type { PhysicalVehicle } from '../vehicle/physics/vehicle.js';

/** The road round the town, and the tunnel on it. */
export const LAP_M = 2000;
export const TUNNEL = { fromM: 300, toM: 700 } as const;
/** All that have a road drive so. */
export const TOWN_DRIVING = 'town';

/** Where a vehicle of the demo is. */
export interface Place {
  /** Metres from the start of the lap. */
  m: number;
  isInTunnel: boolean;
}

/**
 * The way from one gateway to the cloud, while its vehicle drives round the town: in the tunnel nothing gets through,
 * and nobody is told. A vehicle without a road is always outside.
 */
export class TownLink implements AsyncDisposable {
  /** Drives beside the one whose frames the gateway gets. */
  private readonly twin: PhysicalVehicle | undefined;
  private wasInTunnel = false;

  private constructor(
    private readonly proxy: LinkProxy,
    { kind, seed }: { kind: string; seed: number },
  ) {
    this.twin = physicalKindOf(kind)?.create(seed, { driving: TOWN_DRIVING });
  }

  /** Errors: those of a listening socket. */
  static async open(mqttPort: number, vehicle: { kind: string; seed: number }): Promise<TownLink> {
    return new TownLink(await LinkProxy.start(mqttPort), vehicle);
  }

  get url(): string {
    return this.proxy.url;
  }

  /** Goes on to `elapsedUs` after the drive's start; undefined where there is no road. */
  advanceTo(elapsedUs: number): Place | undefined {
    const { twin, proxy } = this;
    if (!twin) return undefined;
    twin.advanceTo(elapsedUs);
    const m = twin.placeM % LAP_M;
    const isInTunnel = m >= TUNNEL.fromM && m < TUNNEL.toM;
    if (isInTunnel && !this.wasInTunnel) proxy.freeze();
    if (!isInTunnel && this.wasInTunnel) proxy.thaw();
    this.wasInTunnel = isInTunnel;
    return { m, isInTunnel };
  }

  /** Lets everything through from here on. */
  leaveTunnel(): void {
    if (this.wasInTunnel) this.proxy.thaw();
    this.wasInTunnel = false;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.proxy[Symbol.asyncDispose]();
  }
}

import { isGatewayId } from '@fleetlog/shared/batch';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import type { Arrival } from '../index/index.js';
import type { Log } from '../log/log.js';

/** Records that nothing may trim, by event time: of an accident, or a dispute. */
export interface Hold {
  id: string;
  /** Without it, of all gateways. */
  gateway?: string;
  /** Without it, of all streams. */
  stream?: string;
  /** Inclusive; µs of event time, as stamped or as corrected. */
  fromUs: number;
  /** Exclusive. */
  toUs: number;
  reason: string;
  /** Who asked for it, as they said. */
  by?: string;
  addedUs: number;
  /** It holds no more since then. */
  removedUs?: number;
  removedBy?: string;
  removedReason?: string;
}

export type NewHold = Pick<Hold, 'gateway' | 'stream' | 'fromUs' | 'toUs' | 'reason' | 'by'>;

/*
 * note "hold/{id}" = JSON of the hold; one that was removed stays, with who removed it and why
 */
const prefix = 'hold/';
const holdsMax = 10_000;
const reasonCharsMax = 1000;

/** Legal holds, kept in the log itself: they are as durable as what they hold, and go wherever a copy of it goes. */
export class Holds {
  private readonly byId = new Map<string, Hold>();

  private constructor(
    private readonly log: Log,
    private readonly clock: Clock,
  ) {}

  static async load(log: Log, clock: Clock): Promise<Holds> {
    const holds = new Holds(log, clock);
    await holds.reload();
    return holds;
  }

  /** Takes in what others have added and removed, where several clouds write to the log. */
  async reload(): Promise<void> {
    for await (const { value } of this.log.notes(prefix)) {
      const hold = JSON.parse(Buffer.from(value).toString()) as Hold;
      this.byId.set(hold.id, hold);
    }
  }

  /** In the order in which they were added, removed ones as well. */
  all(): Hold[] {
    return [...this.byId.values()].sort((a, b) => Number(a.id) - Number(b.id));
  }

  /** Whether a hold that is in force touches it. */
  keeps({ gateway, stream, originalUs, correctedUs }: Arrival): boolean {
    for (const hold of this.byId.values()) {
      if (hold.removedUs !== undefined) continue;
      if (hold.gateway !== undefined && hold.gateway !== gateway) continue;
      if (hold.stream !== undefined && hold.stream !== stream) continue;
      const touches = ([first, last]: readonly [number, number]): boolean =>
        first < hold.toUs && last >= hold.fromUs;
      if (touches(originalUs) || touches(correctedUs)) return true;
    }
    return false;
  }

  /** Durable, and in force, when it resolves. Errors: FLEETLOG_USAGE, those of the log. */
  async add(asked: NewHold): Promise<Hold> {
    const idFits: boolean = asked.gateway === undefined || isGatewayId(asked.gateway);
    if (!idFits) {
      throw new FleetlogError('FLEETLOG_USAGE', `"${asked.gateway}" isn't the id of a gateway.`);
    }
    if (!(asked.fromUs < asked.toUs)) {
      throw new FleetlogError('FLEETLOG_USAGE', 'A hold has to begin before it ends; change --from or --to.');
    }
    if (asked.reason.trim() === '' || asked.reason.length > reasonCharsMax) {
      throw new FleetlogError(
        'FLEETLOG_USAGE',
        `Say why, in at most ${reasonCharsMax} characters: --reason.`,
      );
    }
    if (this.byId.size >= holdsMax) {
      throw new FleetlogError('FLEETLOG_BUSY', `There are ${holdsMax} holds already, which is the limit.`);
    }
    return this.keep({ ...asked, id: String(this.byId.size + 1), addedUs: this.clock.nowUs() });
  }

  /** What was held goes with the next pass where it is over its time. Errors: FLEETLOG_NOT_FOUND, those of the log. */
  async remove(id: string, why: { reason: string; by?: string }): Promise<Hold> {
    const hold = this.byId.get(id);
    if (!hold || hold.removedUs !== undefined) {
      throw new FleetlogError(
        'FLEETLOG_NOT_FOUND',
        `There is no hold ${id.slice(0, 20)} in force; see fleetlog holds list.`,
      );
    }
    const { reason: removedReason, by: removedBy } = why;
    const removedUs = this.clock.nowUs();
    return this.keep({ ...hold, removedUs, removedReason, ...(removedBy !== undefined && { removedBy }) });
  }

  private async keep(hold: Hold): Promise<Hold> {
    await this.log.append([], [{ key: `${prefix}${hold.id}`, value: Buffer.from(JSON.stringify(hold)) }]);
    this.byId.set(hold.id, hold);
    return hold;
  }
}

import type { Logger } from '@fleetlog/shared/log';
import type { GatewayEvents } from '../events/events.js';
import type { MonthBytes, WireMeter } from './wire-meter.js';

export interface BudgetLimits {
  /** Bytes of a month, sent and received. */
  bytes: number;
  /** At the limit only streams of this priority and above go on, and the gateway's own events. */
  priority: number;
}

export type BudgetLevel = 'within' | 'nearly-used' | 'used-up';

/** For `status`. */
export interface BudgetReport extends MonthBytes {
  limitBytes?: number;
  level: BudgetLevel;
}

const warningShare = 0.8;

/** What the uplink may still cost this month. */
export class Budget {
  private told: { month: string; level: BudgetLevel };

  constructor(
    private readonly meter: WireMeter,
    private readonly limits: BudgetLimits | undefined,
    private readonly parts: { priorityOf: (stream: string) => number; events: GatewayEvents; logger: Logger },
  ) {
    // What a restart finds was said before it.
    const { month, level } = this.report();
    this.told = { month, level };
  }

  count(sent: number, received: number): void {
    if (sent + received === 0) return;
    this.meter.add(sent, received);
    this.tell();
  }

  allows(stream: string): boolean {
    return this.report().level !== 'used-up' || this.parts.priorityOf(stream) >= (this.limits?.priority ?? 0);
  }

  report(): BudgetReport {
    const month = this.meter.month;
    if (!this.limits) return { ...month, level: 'within' };
    const { bytes } = this.limits;
    const used = month.sent + month.received;
    const level = used >= bytes ? 'used-up' : used >= warningShare * bytes ? 'nearly-used' : 'within';
    return { ...month, limitBytes: bytes, level };
  }

  private tell(): void {
    const { month, level, sent, received, limitBytes = Infinity } = this.report();
    const { told } = this;
    if (told.month === month && told.level === level) return;
    this.told = { month, level };
    if (level === 'within') return;
    const { events, logger } = this.parts;
    const facts = { month, sentBytes: sent, receivedBytes: received, limitBytes };
    events.note(`uplink.budget-${level}`, facts);
    const what =
      level === 'used-up'
        ? `used up: only events and streams of priority ${this.limits?.priority} and above go on until the next month`
        : `used to ${100 * warningShare} %`;
    logger.warn(facts, `The uplink's budget of ${month} is ${what}.`);
  }
}

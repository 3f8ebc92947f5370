import { isFleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import type { GatewayEvents } from '../../events/events.js';
import { errno, errnoName } from './errno.js';
import { answeredError, listCanLinks, restartRequest, type AskKernel } from './netlink.js';

export interface BusOffRestartOptions {
  stream: string;
  interfaceName: string;
  /** Wait from bus-off to the restart, and between two of them, ms. */
  afterMs: number;
  ask: AskKernel;
  clock: Clock;
  logger: Logger;
  events: GatewayEvents;
}

/**
 * Lets a controller take part again after bus-off, as long as it is off: a controller that has counted too many errors
 * of its own stays silent until somebody asks for a restart (ISO 11898-1, 12.1.4.4). Each attempt is an event.
 */
export class BusOffRestart {
  private isWorking = false;

  constructor(private readonly options: BusOffRestartOptions) {}

  /** Looks after the interface until it isn't bus-off; returns at once where it is looked after already. */
  async lookAfter(signal: AbortSignal): Promise<void> {
    if (this.isWorking) return;
    this.isWorking = true;
    try {
      while (!signal.aborted && this.isBusOff()) {
        await this.options.clock.sleep(this.options.afterMs, signal).catch(() => undefined);
        if (signal.aborted || !this.isBusOff() || !this.restart()) return;
      }
    } catch (error) {
      if (!isFleetlogError(error)) throw error;
      this.options.logger.warn({ code: error.code }, error.message);
    } finally {
      this.isWorking = false;
    }
  }

  private isBusOff(): boolean {
    return this.link()?.state === 'bus-off';
  }

  private link(): ReturnType<typeof listCanLinks>[number] | undefined {
    const { ask, interfaceName } = this.options;
    return listCanLinks(ask).find(({ name, up }) => name === interfaceName && up);
  }

  /** False where the kernel will never do it. */
  private restart(): boolean {
    const { ask, interfaceName, stream, logger, events } = this.options;
    const link = this.link();
    if (!link) return false;
    const code = answeredError(ask(restartRequest(link.index)));
    const attributes = { stream, interface: interfaceName };
    if (code === 0) {
      logger.info({}, `${interfaceName} was bus-off and is restarted.`);
      events.note('can.restart', { ...attributes, result: 'restarted' });
      return true;
    }
    events.note('can.restart', { ...attributes, result: 'refused', reason: errnoName(code) });
    logger.warn(
      { errno: code },
      `${interfaceName} is bus-off and can't be restarted: ${whyNot(code, link.restartMs)}.`,
    );
    return code !== errno.EPERM && !link.restartMs;
  }
}

function whyNot(code: number, restartMs: number | undefined): string {
  if (code === errno.EPERM) {
    return 'the gateway needs the right for it (CAP_NET_ADMIN; the unit of "fleetlog-gateway service" has it), or remove "restart"';
  }
  if (restartMs) return `the kernel does so itself every ${restartMs} ms, so remove "restart"`;
  return `the kernel answers ${errnoName(code)}`;
}

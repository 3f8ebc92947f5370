import { encodeEvents, type EventRecord } from '@fleetlog/shared/batch';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import type { BatchSink } from '../sources/source.js';
import { EVENTS_STREAM, type GatewayEvents } from './events.js';

/** Events that wait while the buffer has no room; more are left out, and one more event says how many. */
const waitingMax = 1024;

/**
 * Puts events into the buffer, as durable as all other batches. What is noted in one turn of the event loop, or while
 * the buffer has no room, shares a batch.
 */
export class EventStream implements GatewayEvents {
  private waiting: EventRecord[] = [];
  private leftOut = 0;
  private writing: Promise<void> | undefined;

  constructor(private readonly parts: { sink: BatchSink; clock: Clock; logger: Logger }) {}

  note(type: string, attributes: Record<string, string | number | boolean>): void {
    if (this.waiting.length >= waitingMax) {
      this.leftOut++;
      return;
    }
    this.waiting.push({ timeUs: this.parts.clock.nowUs(), type, attributes });
    this.writing ??= this.write();
  }

  /** Resolves when the buffer has taken everything that was noted. */
  async settled(): Promise<void> {
    await this.writing;
  }

  private async write(): Promise<void> {
    await Promise.resolve(); // what is noted in this turn comes along
    while (this.waiting.length > 0) {
      const events = this.waiting;
      this.waiting = [];
      this.tellLeftOut(); // now that there is room
      try {
        await this.parts.sink.put(EVENTS_STREAM, { payload: encodeEvents(events), origin: 'live' });
      } catch (error) {
        this.parts.logger.error({ events: events.length, error: String(error) }, 'Events were not kept.');
      }
    }
    this.writing = undefined;
  }

  private tellLeftOut(): void {
    const { leftOut } = this;
    this.leftOut = 0;
    if (leftOut > 0) this.note('events.left-out', { events: leftOut });
  }
}

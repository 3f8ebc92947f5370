import { encodeEvents, type BatchClock, type EventRecord } from '@fleetlog/shared/batch';
import type { Logger } from '@fleetlog/shared/log';
import type { BatchSink } from '../sources/source.js';
import { EVENTS_STREAM, type GatewayEvents } from './events.js';

/** Events that wait while the buffer has no room; more are left out, and one more event says how many. */
const waitingMax = 1024;

/** The time now, and how good it is. */
export interface EventTime {
  nowUs(): number;
  read(): BatchClock;
}

interface Waiting {
  record: EventRecord;
  clock: BatchClock;
}

/**
 * Puts events into the buffer, as durable as all other batches. What is noted in one turn of the event loop, or while
 * the buffer has no room, shares a batch.
 */
export class EventStream implements GatewayEvents {
  private waiting: Waiting[] = [];
  private leftOut = 0;
  private writing: Promise<void> | undefined;

  constructor(private readonly parts: { sink: BatchSink; time: EventTime; logger: Logger }) {}

  note(type: string, attributes: Record<string, string | number | boolean>): void {
    if (this.waiting.length >= waitingMax) {
      this.leftOut++;
      return;
    }
    const { time } = this.parts;
    const record = { timeUs: time.nowUs(), type, attributes };
    this.waiting.push({ record, clock: { ...time.read(), stamped: true } });
    this.writing ??= this.write();
  }

  /** Resolves when the buffer has taken everything that was noted. */
  async settled(): Promise<void> {
    await this.writing;
  }

  private async write(): Promise<void> {
    await Promise.resolve(); // what is noted in this turn comes along
    while (this.waiting.length > 0) {
      // A batch has one clock: the offset may have changed between two events.
      const [{ clock }] = this.waiting;
      const other = this.waiting.findIndex((event) => event.clock.wallOffsetUs !== clock.wallOffsetUs);
      const events = this.waiting.splice(0, other < 0 ? this.waiting.length : other);
      this.tellLeftOut(); // now that there is room
      try {
        const payload = encodeEvents(events.map(({ record }) => record));
        await this.parts.sink.put(EVENTS_STREAM, { payload, origin: 'live', clock });
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

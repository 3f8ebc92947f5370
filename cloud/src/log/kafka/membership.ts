import { Consumer } from '@platformatic/kafka';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { errorText, type KafkaAddress } from './cluster.js';

export interface MembershipOptions {
  address: KafkaAddress;
  topic: string;
  clock: Clock;
  logger: Logger;
  /** Which partitions are this process's from now on; what it had and isn't named is somebody else's. */
  onAssigned: (partitions: readonly number[]) => void;
}

/** A process that says nothing for so long is dead, and the others share what it had. */
const sessionMs = 6000;
const heartbeatMs = 1000;
const rebalanceMs = 10_000;
const retryMs = 1000;
const leaveMsMax = 1000;

/**
 * Shares the partitions of the log among the processes that are there, by Kafka's own consumer groups. It says who
 * should have what; that two never both write to one is the writers' matter.
 */
export class Membership implements AsyncDisposable {
  private readonly closing = new AbortController();
  private readonly consumer: Consumer;
  private readonly joining: Promise<void>;

  constructor(private readonly options: MembershipOptions) {
    const { address, topic, logger } = options;
    this.consumer = new Consumer({
      groupId: `${topic}-ingest`,
      clientId: address.clientId,
      bootstrapBrokers: address.brokers,
      sessionTimeout: sessionMs,
      heartbeatInterval: heartbeatMs,
      rebalanceTimeout: rebalanceMs,
      autocommit: false,
      ...(address.tls && { tls: address.tls }),
      ...(address.sasl && { sasl: address.sasl }),
    });
    const { consumer } = this;
    consumer.topics.trackAll(topic);
    consumer.on('consumer:group:join', ({ assignments }) => {
      const mine = assignments?.find((one) => one.topic === topic)?.partitions ?? [];
      logger.info({ partitions: mine }, 'Partitions of the log are shared anew.');
      options.onAssigned(mine);
    });
    consumer.on('error', (error: Error) => {
      if (this.closing.signal.aborted) return;
      logger.warn({}, `The other clouds can't be met at Kafka (${errorText(error)}); trying again.`);
      if (!consumer.isActive()) void this.join();
    });
    this.joining = this.join();
  }

  /** Leaves, so that the others take over at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.closing.abort();
    await this.joining;
    // Behind a request that waits for the others it would take as long as that; they notice by themselves, too.
    const left = new AbortController();
    await Promise.race([
      this.consumer.close(true).catch(() => undefined),
      this.options.clock.sleep(leaveMsMax, left.signal).catch(() => undefined),
    ]);
    left.abort();
  }

  private async join(): Promise<void> {
    const { signal } = this.closing;
    const { clock, logger } = this.options;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await this.consumer.joinGroup({});
        return;
      } catch (error) {
        if (attempt === 1)
          logger.warn({}, `The other clouds can't be met at Kafka (${errorText(error)}); trying again.`);
        await clock.sleep(retryMs, signal).catch(() => undefined); // the loop looks at the signal
      }
    }
  }
}

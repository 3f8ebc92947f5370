import type { Logger } from '@fleetlog/shared/log';
import { Signal, type Clock } from '@fleetlog/shared/util';
import { errorText, isKafkaError, type KafkaCluster } from './cluster.js';
import { fetchFrom, type CommittedReader, type CommittedRecord, type FetchedPartition } from './reader.js';

/** One partition that is followed. */
export interface FollowedPartition {
  topic: string;
  partition: number;
  /** Offset from which it is read. */
  next: number;
  /** Takes what was committed, in order, up to `next`; where it rejects it is given the same again. */
  take: (records: readonly CommittedRecord[], next: number, first: number) => Promise<void>;
}

export interface FollowerOptions {
  /** Of its own: a broker answers the requests of a connection in turn, and these wait. */
  cluster: KafkaCluster;
  reader: CommittedReader;
  clock: Clock;
  logger: Logger;
  closing: AbortSignal;
}

const waitMsMax = 250;
const bytesMax = 1024 * 1024;
const retryMs = 200;

/** Reads what others commit, as it comes: one waiting request at each broker. */
export class Follower {
  /** Set after each step. */
  private readonly moved = new Signal();
  private readonly running: Promise<void>;

  constructor(
    private readonly followed: readonly FollowedPartition[],
    private readonly options: FollowerOptions,
  ) {
    this.running = this.run();
  }

  /** Resolves when it has taken what is before `offset`. Errors: when the log is closed meanwhile. */
  async reached(topic: string, partition: number, offset: number): Promise<void> {
    const one = this.followed.find((each) => each.topic === topic && each.partition === partition);
    while (one && one.next < offset) await this.moved.wait(this.options.closing);
  }

  /** Until it has ended, which closing the log brings about. */
  ended(): Promise<void> {
    return this.running;
  }

  private async run(): Promise<void> {
    const { cluster, clock, logger, closing } = this.options;
    let isTroubled = false;
    while (!closing.aborted) {
      const round = new AbortController();
      try {
        const byLeader = await this.byLeader();
        if (isTroubled) logger.info({}, 'The log is followed again.');
        isTroubled = false;
        const followers = Array.from(byLeader, ([leader, topics]) =>
          this.followLeader(leader, topics, round.signal).finally(() => round.abort()),
        );
        // All of them, so that no partition is read twice at one time.
        const failed = (await Promise.allSettled(followers)).find(({ status }) => status === 'rejected');
        if (failed) throw (failed as PromiseRejectedResult).reason;
      } catch (error) {
        if (closing.aborted) return;
        if (isKafkaError(error, 'OFFSET_OUT_OF_RANGE')) await this.skipTrimmed().catch(() => undefined); // tried again
        if (!isTroubled) logger.warn({}, `The log can't be followed (${errorText(error)}); trying again.`);
        isTroubled = true;
        cluster.forget();
      }
      await clock.sleep(retryMs, closing).catch(() => undefined); // the loop looks at the signal
    }
  }

  /** What was trimmed while it wasn't read is passed over. */
  private async skipTrimmed(): Promise<void> {
    for (const one of this.followed) {
      const { first } = await this.options.reader.ends(one.topic, one.partition);
      if (first <= one.next) continue;
      await one.take([], first, first);
      one.next = first;
    }
  }

  /** What each broker leads, by topic id. */
  private async byLeader(): Promise<Map<number, Map<string, FollowedPartition[]>>> {
    const byLeader = new Map<number, Map<string, FollowedPartition[]>>();
    for (const [name, followed] of Map.groupBy(this.followed, ({ topic }) => topic)) {
      const { id, leaders } = await this.options.cluster.topic(name);
      for (const one of followed) {
        const leader = leaders[one.partition];
        const topics = byLeader.get(leader) ?? new Map<string, FollowedPartition[]>();
        byLeader.set(leader, topics);
        topics.set(id, [...(topics.get(id) ?? []), one]);
      }
    }
    return byLeader;
  }

  private async followLeader(
    leader: number,
    topics: ReadonlyMap<string, FollowedPartition[]>,
    round: AbortSignal,
  ): Promise<void> {
    const { cluster, closing } = this.options;
    const connection = await cluster.connection(leader);
    while (!closing.aborted && !round.aborted) {
      const asked = Array.from(topics, ([topicId, followed]) => ({
        topicId,
        positions: followed.map(({ partition, next: offset }) => ({ partition, offset })),
      }));
      for (const fetched of await fetchFrom(connection, asked, { bytesMax, waitMsMax })) {
        await this.step(topics, fetched);
      }
    }
  }

  private async step(
    topics: ReadonlyMap<string, FollowedPartition[]>,
    { topicId, partition, records, next, first }: FetchedPartition,
  ): Promise<void> {
    const one = topics.get(topicId)?.find((each) => each.partition === partition);
    if (!one || next <= one.next) return;
    await one.take(records, next, first);
    one.next = next;
    this.moved.set();
  }
}

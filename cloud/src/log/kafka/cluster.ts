import {
  Admin,
  FindCoordinatorKeyTypes,
  findCoordinatorV4,
  GenericError,
  MultipleErrors,
  type BaseOptions,
  type Connection,
} from '@platformatic/kafka';
import { FleetlogError, isFleetlogError } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';

export interface KafkaAddress {
  /** HOST:PORT of any of them; they tell the others. */
  brokers: string[];
  clientId: string;
  tls?: BaseOptions['tls'];
  sasl?: BaseOptions['sasl'];
}

const connectMsMax = 5000;
const requestMsMax = 10_000;
const retryMsMin = 5;
const retryMsMax = 500;

/** Who leads what in a Kafka cluster, and connections to them. Needs Kafka 3.6 or newer. */
export class KafkaCluster implements AsyncDisposable {
  readonly admin: Admin;
  private readonly coordinators = new Map<string, number>();

  constructor(
    readonly address: KafkaAddress,
    private readonly clock: Clock,
  ) {
    this.admin = new Admin({
      clientId: address.clientId,
      bootstrapBrokers: address.brokers,
      connectTimeout: connectMsMax,
      requestTimeout: requestMsMax,
      retries: 0, // what may be tried again, and for how long, is decided here
      ...(address.tls && { tls: address.tls }),
      ...(address.sasl && { sasl: address.sasl }),
    });
  }

  /** Errors: FLEETLOG_STORE where the topic isn't there; one that was made just now may not be yet. */
  async topic(name: string): Promise<{ id: string; leaders: number[] }> {
    const missing = new FleetlogError('FLEETLOG_STORE', `Kafka has no topic ${name}.`);
    const { topics } = await this.admin.metadata({ topics: [name] }).catch((error: unknown) => {
      throw (error as { code?: unknown }).code === 'PLT_KFK_USER' ? missing : error;
    });
    const topic = topics.get(name);
    if (!topic) throw missing;
    const leaders = Array.from({ length: topic.partitionsCount }, (_, i) => topic.partitions[i].leader);
    return { id: topic.id, leaders };
  }

  /** A connection to the broker that leads this partition. */
  async leader(topic: string, partition: number): Promise<{ connection: Connection; topicId: string }> {
    const { id, leaders } = await this.topic(topic);
    return { connection: await this.connection(leaders[partition]), topicId: id };
  }

  async connection(node: number): Promise<Connection> {
    const { brokers } = await this.admin.metadata({});
    const broker = brokers.get(node);
    if (!broker) throw new FleetlogError('FLEETLOG_UNREACHABLE', `Kafka's broker ${node} isn't there now.`);
    return this.admin.connections.get(broker);
  }

  /** A connection to the broker that coordinates the transactions of this id. */
  async coordinator(transactionalId: string): Promise<Connection> {
    const known = this.coordinators.get(transactionalId);
    if (known !== undefined) return this.connection(known);
    const { brokers } = await this.admin.metadata({});
    const any = await this.admin.connections.getFirstAvailable([...brokers.values()]);
    const { coordinators } = await findCoordinatorV4.api.async(any, FindCoordinatorKeyTypes.TRANSACTION, [
      transactionalId,
    ]);
    const { nodeId } = coordinators[0];
    this.coordinators.set(transactionalId, nodeId);
    return this.connection(nodeId);
  }

  /**
   * Repeats what failed for a reason that passes: brokers that start, stop or hand over. Errors: FLEETLOG_UNREACHABLE
   * when `msMax` is over, and whatever doesn't pass.
   */
  async patiently<T>(
    operation: () => Promise<T>,
    { msMax, signal }: { msMax: number; signal: AbortSignal },
  ): Promise<T> {
    const endUs = this.clock.monotonicUs() + msMax * 1000;
    for (let attempt = 0; ; attempt++) {
      try {
        return await operation();
      } catch (error) {
        if (!passes(error)) throw error;
        if (!isKafkaError(error, 'CONCURRENT_TRANSACTIONS')) this.forget();
        if (signal.aborted || this.clock.monotonicUs() >= endUs) throw this.complaint(error);
        await this.clock
          .sleep(Math.min(retryMsMax, retryMsMin * 2 ** attempt), signal)
          .catch(() => undefined);
      }
    }
  }

  /** What is known of who leads may be wrong. */
  forget(): void {
    this.coordinators.clear();
    this.admin.clearMetadata();
  }

  /** An error of the client as one of ours. */
  complaint(cause: unknown): FleetlogError {
    if (isFleetlogError(cause)) return cause;
    const brokers = this.address.brokers.join(', ');
    return new FleetlogError(
      'FLEETLOG_UNREACHABLE',
      `Kafka at ${brokers} doesn't do it (${errorText(cause)}); see that its brokers run and can be reached.`,
      { cause },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.admin.close();
  }
}

/** Whether an error of the client, or one that caused it, has this name in Kafka's table. */
export function isKafkaError(error: unknown, ...names: string[]): boolean {
  return leavesOf(error).some((leaf) => names.includes(String((leaf as { apiId?: unknown }).apiId)));
}

/** Errors that the same request may not meet again. */
function passes(error: unknown): boolean {
  if (isFleetlogError(error)) return error.retryable;
  return error instanceof Error && leavesOf(error).every((leaf) => (leaf as GenericError).canRetry !== false);
}

function leavesOf(error: unknown): unknown[] {
  if (error instanceof MultipleErrors && error.errors.length > 0) return error.errors.flatMap(leavesOf);
  return [error];
}

/** Of the errors that caused it, each once. */
export const errorText = (error: unknown): string =>
  [...new Set(leavesOf(error).map((leaf) => (leaf instanceof Error ? leaf.message : String(leaf))))].join(
    '; ',
  );

import type { Aedes, Client } from 'aedes';
import { topics } from '@fleetlog/shared/topics';

/**
 * Which connections asked for their gateway's acknowledgements. With it an acknowledgement finds them without being
 * held against the subscriptions of all others.
 */
export class AckListeners {
  private readonly byGateway = new Map<string, Map<Client, Set<string>>>();

  constructor(
    aedes: Aedes,
    private readonly gatewayOf: (client: Client) => string | undefined,
  ) {
    aedes.on('subscribe', (subscriptions, client) => {
      if (client.closed) return;
      for (const { topic, qos } of subscriptions) if (qos < refused) this.add(client, topic);
    });
    aedes.on('unsubscribe', (patterns, client) => this.remove(client, patterns));
    aedes.on('clientDisconnect', (client) => this.remove(client));
  }

  of(gateway: string): Iterable<Client> {
    return this.byGateway.get(gateway)?.keys() ?? [];
  }

  private add(client: Client, pattern: string): void {
    const gateway = this.gatewayOf(client);
    if (gateway === undefined || !matchesAck(pattern, gateway)) return;
    let clients = this.byGateway.get(gateway);
    if (!clients) this.byGateway.set(gateway, (clients = new Map()));
    clients.set(client, (clients.get(client) ?? new Set<string>()).add(pattern));
  }

  /** Without patterns: all of them. */
  private remove(client: Client, patterns?: readonly string[]): void {
    const gateway = this.gatewayOf(client) ?? '';
    const clients = this.byGateway.get(gateway);
    const left = clients?.get(client);
    if (!clients || !left) return;
    for (const pattern of patterns ?? [...left]) left.delete(pattern);
    if (left.size === 0) clients.delete(client);
    if (clients.size === 0) this.byGateway.delete(gateway);
  }
}

/** Return code of a subscription that isn't granted, MQTT 3.1.1, section 3.9.3. */
const refused = 128;

function matchesAck(pattern: string, gateway: string): boolean {
  const topic = topics.ack(gateway);
  const prefix = topics.prefix(gateway);
  return (
    pattern === topic || pattern === `${topic}/#` || pattern === `${prefix}#` || pattern === `${prefix}+`
  );
}

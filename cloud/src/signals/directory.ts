import type { Catalogue, Validity } from './catalogue/index.js';
import type { Message, Signal } from './dbc/model.js';

/** A signal of a stream, as a database that applies to the stream for some time has it. */
export interface AssignedSignal extends Validity {
  stream: string;
  database: string;
  /** SHA-256 of the database's content. */
  version: string;
  message: Message;
  signal: Signal;
}

/** `stream/Message/Signal` */
export const fullName = ({ stream, message, signal }: AssignedSignal): string =>
  `${stream}/${message.name}/${signal.name}`;

/** Every signal that some database gives to the streams of a gateway, in the order of the databases. */
export async function assignedSignals(
  catalogue: Catalogue,
  filter: { gateway: string; stream?: string | undefined },
): Promise<AssignedSignal[]> {
  const found: AssignedSignal[] = [];
  for (const { gateway, stream, database, version, fromUs, toUs } of catalogue.assignments) {
    if (gateway !== filter.gateway || (filter.stream !== undefined && filter.stream !== stream)) continue;
    const loaded = await catalogue.load(database, version);
    for (const message of loaded.database.messages) {
      for (const signal of message.signals) {
        found.push({ stream, database, version: loaded.version.hash, message, signal, fromUs, toUs });
      }
    }
  }
  return found;
}

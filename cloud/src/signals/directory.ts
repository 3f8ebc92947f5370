import type { Assignment, Catalogue, LoadedDatabase } from './catalogue/index.js';
import type { Message, Signal } from './dbc/model.js';
import type { RecordedSignals } from './recorded-signals.js';
import type { CanSignal, StreamSignal } from './stream-signal.js';

/**
 * Every signal of the streams of a gateway: those that some database gives them, in the order of the databases, then
 * those that need none.
 */
export async function streamSignals(
  { catalogue, recorded }: { catalogue: Catalogue; recorded: RecordedSignals },
  filter: { gateway: string; stream?: string | undefined },
): Promise<StreamSignal[]> {
  const found: StreamSignal[] = [];
  for (const assignment of catalogue.assignments) {
    const { gateway, stream, database, version } = assignment;
    if (gateway !== filter.gateway || (filter.stream !== undefined && filter.stream !== stream)) continue;
    const loaded = await catalogue.load(database, version);
    for (const message of loaded.database.messages) {
      for (const signal of message.signals) found.push(canSignal(assignment, loaded, message, signal));
    }
  }
  found.push(...(await recorded.signals(filter)));
  return found;
}

function canSignal(
  { gateway, stream, database, fromUs, toUs }: Assignment,
  { version }: LoadedDatabase,
  message: Message,
  signal: Signal,
): CanSignal {
  return {
    kind: 'can',
    gateway,
    stream,
    name: `${message.name}/${signal.name}`,
    unit: signal.unit,
    comment: signal.comment,
    cycleTimeMs: message.cycleTimeMs,
    labels: labelsOf(signal),
    database,
    version: version.hash,
    message,
    signal,
    fromUs,
    toUs,
  };
}

/** A database names raw values. */
function labelsOf({ labels, factor, offset }: Signal): ReadonlyMap<number, string> | undefined {
  if (!labels || (factor === 1 && offset === 0)) return labels;
  return new Map(Array.from(labels, ([raw, label]) => [raw * factor + offset, label]));
}

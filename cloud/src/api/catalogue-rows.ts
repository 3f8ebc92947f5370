import { isoMicros } from '../export/iso-time.js';
import type { Catalogue, LoadedDatabase, Validity } from '../signals/catalogue/index.js';
import type { Message, Signal } from '../signals/dbc/model.js';
import type { DatabaseDetails } from './catalogue-schemas.js';

type MessageRow = DatabaseDetails['content'][number];
type SignalRow = MessageRow['signals'][number];

type VersionFields = DatabaseDetails['versions'][number];

/** A content of a database as the API shows it. */
export function versionFields({ hash, addedUs, ...facts }: LoadedDatabase['version']): VersionFields {
  return { version: hash, added: isoMicros(addedUs), ...facts };
}

export function databaseDetails(loaded: LoadedDatabase, catalogue: Catalogue): DatabaseDetails {
  const { name, version, database, problems } = loaded;
  const versions = catalogue.databases.find((one) => one.name === name)?.versions ?? [version];
  return {
    name,
    ...versionFields(version),
    versions: versions.map(versionFields),
    nodes: database.nodes,
    problems,
    content: database.messages.map(messageRow),
  };
}

const idText = ({ id, isExtended }: Pick<Message, 'id' | 'isExtended'>): string =>
  id
    .toString(16)
    .toUpperCase()
    .padStart(isExtended ? 8 : 3, '0');

function messageRow(message: Message): MessageRow {
  const { name, format, length, sender, comment, cycleTimeMs, signals } = message;
  return {
    name,
    id: idText(message),
    format,
    length,
    sender,
    ...(cycleTimeMs !== undefined && { cycleTimeMs }),
    comment,
    signals: signals.map(signalRow),
  };
}

function signalRow(signal: Signal): SignalRow {
  const { name, startBit, length, isBigEndian, raw, factor, offset, minimum, maximum } = signal;
  const { unit, comment, multiplexing, labels } = signal;
  return {
    name,
    startBit,
    length,
    byteOrder: isBigEndian ? 'big' : 'little',
    raw,
    factor,
    offset,
    ...(Number.isFinite(minimum) && { minimum }),
    ...(Number.isFinite(maximum) && { maximum }),
    unit,
    comment,
    ...(multiplexing && {
      multiplexor: multiplexing.multiplexor,
      when: multiplexing.ranges.map(([first, last]) => [first, last]),
    }),
    ...(labels && { labels: Array.from(labels, ([value, label]) => ({ raw: value, label })) }),
  };
}

/** Event times as the API writes them. */
export function validityFields({ fromUs, toUs }: Validity): { from?: string; to?: string } {
  return {
    ...(fromUs !== undefined && { from: isoMicros(fromUs) }),
    ...(toUs !== undefined && { to: isoMicros(toUs) }),
  };
}

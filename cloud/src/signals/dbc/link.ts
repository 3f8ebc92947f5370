import type { Draft, MessageDraft, SignalDraft } from './draft.js';
import type { Attributes, Database, FrameFormat, Message, RawKind } from './model.js';
import { multiplex } from './multiplex.js';
import { quoted, type Problems } from './problems.js';

/** Puts what was read together. What refers to nothing is a warning. */
export function link(draft: Draft, problems: Problems): Database {
  const messages = uniqueMessages(draft, problems);
  const find = new Finder(messages, problems);
  linkLabels(draft, find, problems);
  linkRawKinds(draft, find, problems);
  for (const { at, target, text } of draft.comments) {
    const found =
      target.of === 'message'
        ? find.message(target.rawId, at)?.message
        : target.of === 'signal' && find.signal(target.rawId, target.signal, at)?.signal;
    if (found) found.comment = text;
  }
  const attributes = linkAttributes(draft, find);
  for (const one of messages) {
    one.message.signals = one.signals.map(({ signal }) => signal);
    one.message.format = formatOf(one.message, attributes, draft);
    one.message.cycleTimeMs = cycleTimeOf(one.message, draft);
  }
  multiplex(draft, messages, find, problems);
  useLongNames(messages);
  return {
    version: draft.version,
    nodes: [...new Set(draft.nodes.map(({ name }) => name))],
    messages: messages.map(({ message }) => message),
    attributes,
  };
}

/** Of several messages with one identifier the first is used; of several with one name the later ones get another. */
function uniqueMessages({ messages }: Draft, problems: Problems): MessageDraft[] {
  const byId = new Map<string, MessageDraft>();
  const names = new Set<string>();
  for (const one of messages) {
    const { message, at } = one;
    const key = `${message.isExtended ? 'x' : ''}${message.id}`;
    const first = byId.get(key);
    if (first) {
      problems.warn(
        at,
        `${message.name} has the identifier of ${first.message.name}, which is used; this one is left out.`,
      );
      continue;
    }
    byId.set(key, one);
    if (names.has(message.name)) {
      const name = `${message.name}_0x${message.id.toString(16).toUpperCase()}`;
      problems.warn(at, `There are several messages ${message.name}; this one is called ${name}.`);
      message.name = name;
    }
    names.add(message.name);
    dropDuplicateSignals(one, problems);
  }
  return [...byId.values()];
}

function dropDuplicateSignals(one: MessageDraft, problems: Problems): void {
  const names = new Set<string>();
  one.signals = one.signals.filter(({ at, signal: { name } }) => {
    if (names.has(name)) {
      problems.warn(at, `${one.message.name} has several signals ${name}; the first is used.`);
      return false;
    }
    names.add(name);
    return true;
  });
}

/** Finds messages and signals by what other statements say of them. */
export class Finder {
  private readonly messages = new Map<number, MessageDraft>();
  private readonly signals = new Map<MessageDraft, Map<string, SignalDraft>>();

  constructor(
    messages: readonly MessageDraft[],
    private readonly problems: Problems,
  ) {
    for (const message of messages) this.messages.set(message.rawId, message);
  }

  message(rawId: number, at: number): MessageDraft | undefined {
    const found = this.messages.get(rawId);
    // Tools keep what belongs to signals without a message under this identifier.
    if (!found && rawId !== 0xc000_0000) {
      this.problems.warn(at, `This speaks of message ${rawId}, which isn't there.`);
    }
    return found;
  }

  signal(rawId: number, name: string, at: number): SignalDraft | undefined {
    const message = this.message(rawId, at);
    if (!message) return undefined;
    let signals = this.signals.get(message);
    if (!signals) {
      signals = new Map(message.signals.map((one) => [one.signal.name, one]));
      this.signals.set(message, signals);
    }
    const found = signals.get(name);
    if (!found) {
      this.problems.warn(
        at,
        `This speaks of signal ${quoted(name)} of ${message.message.name}, which isn't there.`,
      );
    }
    return found;
  }
}

/**
 * Names of more than 32 characters are cut in the statements themselves; tools keep the whole ones in attributes. They
 * are used where they stay unique.
 */
function useLongNames(messages: readonly MessageDraft[]): void {
  const names = new Set(messages.map(({ message }) => message.name));
  for (const { message } of messages) {
    message.name = longName(message, 'SystemMessageLongSymbol', names);
    const signals = new Set(message.signals.map(({ name }) => name));
    const renamed = new Map<string, string>();
    for (const signal of message.signals) {
      const name = longName(signal, 'SystemSignalLongSymbol', signals);
      if (name !== signal.name) renamed.set(signal.name, name);
      signal.name = name;
    }
    if (renamed.size === 0) continue;
    for (const signal of message.signals) {
      const { multiplexing } = signal;
      const name = multiplexing && renamed.get(multiplexing.multiplexor);
      if (name !== undefined) signal.multiplexing = { ...multiplexing!, multiplexor: name };
    }
  }
}

function longName(
  { name, attributes }: { name: string; attributes: Attributes },
  attribute: string,
  taken: Set<string>,
): string {
  const long = attributes.get(attribute);
  if (typeof long !== 'string' || long === '' || taken.has(long)) return name;
  taken.add(long);
  return long;
}

function linkLabels({ labels, tables }: Draft, find: Finder, problems: Problems): void {
  for (const { at, rawId, signal, labels: given } of labels) {
    const found = find.signal(rawId, signal, at);
    const table = typeof given === 'string' ? tables.get(given) : given;
    if (typeof given === 'string' && !table) problems.warn(at, `There is no VAL_TABLE_ ${quoted(given)}.`);
    if (found && table && table.size > 0) found.signal.labels = table;
  }
}

function linkRawKinds({ rawKinds }: Draft, find: Finder, problems: Problems): void {
  const kinds: readonly (readonly [RawKind, number] | undefined)[] = [
    undefined,
    ['float', 32],
    ['double', 64],
  ];
  for (const { at, rawId, signal, kind } of rawKinds) {
    const found = find.signal(rawId, signal, at);
    const wanted = kinds[kind];
    if (!found || !wanted) continue;
    const [raw, bits] = wanted;
    if (found.signal.length === bits) found.signal.raw = raw;
    else problems.warn(at, `${signal} is a ${raw} of ${found.signal.length} bits; it is taken as integer.`);
  }
}

/** Returns those of the database, and puts the others on messages and signals. */
function linkAttributes(draft: Draft, find: Finder): Attributes {
  const database = new Map<string, string | number>();
  const owned = new Map<{ attributes: Attributes }, Map<string, string | number>>();
  for (const { at, name, target, value } of draft.attributes) {
    if (target.of === 'other') continue;
    if (target.of === 'database') {
      database.set(name, value);
      continue;
    }
    const owner =
      target.of === 'message'
        ? find.message(target.rawId, at)?.message
        : find.signal(target.rawId, target.signal, at)?.signal;
    if (!owner) continue;
    const own = owned.get(owner);
    if (own) own.set(name, value);
    else owned.set(owner, new Map([[name, value]]));
  }
  for (const [owner, attributes] of owned) owner.attributes = attributes;
  return database;
}

/** An attribute of a message, or its default; enumerations as text. */
function attributeOf({ attributes }: Message, name: string, draft: Draft): string | number | undefined {
  const value = attributes.get(name) ?? draft.defaults.get(name);
  const values = draft.enumerations.get(name);
  return typeof value === 'number' && values ? (values[value] ?? value) : value;
}

function formatOf(message: Message, database: Attributes, draft: Draft): FrameFormat {
  const { isExtended, length } = message;
  const plain = isExtended ? 'extended' : 'standard';
  const addressing = attributeOf(message, 'IsoTpAddressing', draft);
  if (addressing === 'normal') return 'iso-tp';
  if (addressing === 'extended' || addressing === 'mixed') return 'iso-tp-address';
  const format = attributeOf(message, 'VFrameFormat', draft);
  if (isExtended && (format === 'J1939PG' || format === 3)) return 'j1939';
  if (format === 'StandardCAN_FD' || format === 'ExtendedCAN_FD' || format === 14 || format === 15) {
    return `${plain}-fd`;
  }
  if (format !== undefined && format !== '') return plain;
  const protocol = database.get('ProtocolType') ?? draft.defaults.get('ProtocolType');
  if (isExtended && protocol === 'J1939') return 'j1939';
  const bus = database.get('BusType') ?? draft.defaults.get('BusType');
  return bus === 'CAN FD' && length > 8 ? `${plain}-fd` : plain;
}

function cycleTimeOf(message: Message, draft: Draft): number | undefined {
  const value = attributeOf(message, 'GenMsgCycleTime', draft);
  return typeof value === 'number' && value > 0 ? value : undefined;
}

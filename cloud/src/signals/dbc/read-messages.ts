import type { Draft, MessageDraft, SignalDraft } from './draft.js';
import { databaseLimits, type Attributes, type Message, type Signal } from './model.js';
import { Unreadable, type Reader } from './reader.js';

const none: Attributes = new Map();
const EXTENDED = 0x8000_0000;
/** VECTOR__INDEPENDENT_SIG_MSG: holds signals that no message has. */
const INDEPENDENT = 0xc000_0000;

/** `BO_ id name: length sender`; undefined for the message that isn't one. */
export function readMessage(reader: Reader, draft: Draft): MessageDraft | undefined {
  const { at } = reader;
  const rawId = reader.whole("a message's identifier", 0xffff_ffff);
  const name = reader.word('the name of the message');
  reader.mark(':');
  const length = reader.whole("a message's length", 0xffff_ffff);
  const sender = reader.isWord() && !reader.lexer.isFirstOfLine ? reader.word('the sender') : '';
  if (rawId === INDEPENDENT) return undefined;
  if (length > databaseLimits.messageBytesMax) {
    throw new Unreadable(
      at,
      `Message ${name} has ${length} bytes; at most ${databaseLimits.messageBytesMax} fit.`,
    );
  }
  if (draft.messages.length >= databaseLimits.messagesMax) {
    throw new Unreadable(at, `There are more than ${databaseLimits.messagesMax} messages.`);
  }
  const identifier = identifierOf(rawId, name, at, reader);
  const message: Message = {
    name,
    ...identifier,
    format: identifier.isExtended ? 'extended' : 'standard',
    length,
    sender: sender === 'Vector__XXX' ? '' : sender,
    signals: [],
    comment: '',
    cycleTimeMs: undefined,
    attributes: none,
  };
  const added: MessageDraft = { at, rawId, message, signals: [] };
  draft.messages.push(added);
  return added;
}

function identifierOf(
  rawId: number,
  name: string,
  at: number,
  { problems }: Reader,
): { id: number; isExtended: boolean } {
  if (rawId >= EXTENDED) {
    const id = rawId - EXTENDED;
    if (id > 0x1fff_ffff) throw new Unreadable(at, `The identifier of ${name} has more than 29 bits.`);
    return { id, isExtended: true };
  }
  if (rawId > 0x1fff_ffff) throw new Unreadable(at, `The identifier of ${name} has more than 29 bits.`);
  if (rawId <= 0x7ff) return { id: rawId, isExtended: false };
  problems.warn(at, `The identifier of ${name} has more than 11 bits and no mark of 29; it is taken as 29.`);
  return { id: rawId, isExtended: true };
}

/** `SG_ name [M|m3|m3M] : start|length@order sign (factor,offset) [min|max] "unit" receivers` */
export function readSignal(reader: Reader, { signals }: MessageDraft): void {
  const { at } = reader;
  const name = reader.word('the name of the signal');
  const { selector, isMultiplexor } = reader.isWord()
    ? readSelector(reader)
    : { selector: undefined, isMultiplexor: false };
  reader.mark(':');
  const startBit = reader.whole("a signal's start bit", 8 * databaseLimits.messageBytesMax - 1);
  reader.mark('|');
  const lengthAt = reader.at;
  const length = reader.whole("a signal's length", 0xffff);
  reader.mark('@');
  const isBigEndian = reader.whole('the byte order', 1) === 0;
  const isSigned = reader.take('-');
  if (!isSigned) reader.mark('+');
  const { factor, offset } = readScale(reader, name);
  const { minimum, maximum } = readLimits(reader);
  const unit = reader.isString() ? reader.string('the unit') : missingUnit(reader);
  const receivers = readReceivers(reader);
  if (length < 1 || length > 64) {
    throw new Unreadable(lengthAt, `Signal ${name} has ${length} bits; from 1 to 64 can be read.`);
  }
  if (signals.length >= databaseLimits.signalsPerMessageMax) {
    throw new Unreadable(at, `A message has more than ${databaseLimits.signalsPerMessageMax} signals.`);
  }
  const signal: Signal = {
    name,
    startBit,
    length,
    isBigEndian,
    raw: isSigned ? 'signed' : 'unsigned',
    factor,
    offset,
    minimum,
    maximum,
    unit,
    receivers,
    comment: '',
    isMultiplexor,
    multiplexing: undefined,
    labels: undefined,
    attributes: none,
  };
  const added: SignalDraft = { at, signal, selector };
  signals.push(added);
}

function readSelector(reader: Reader): { selector: number | undefined; isMultiplexor: boolean } {
  const { at } = reader;
  const text = reader.word('a multiplexor');
  if (text === 'M') return { selector: undefined, isMultiplexor: true };
  const match = /^m(\d{1,15})(M?)$/.exec(text);
  if (!match) throw new Unreadable(at, 'Here must be ":" or a multiplexor such as M, m3 or m3M.');
  return { selector: Number(match[1]), isMultiplexor: match[2] === 'M' };
}

function readScale(reader: Reader, name: string): { factor: number; offset: number } {
  const { at } = reader;
  reader.mark('(');
  const factor = reader.number('the factor');
  reader.mark(',');
  const offset = reader.number('the offset');
  reader.mark(')');
  if (!Number.isFinite(factor) || !Number.isFinite(offset)) {
    throw new Unreadable(at, `The factor or offset of ${name} is too large.`);
  }
  if (factor !== 0) return { factor, offset };
  reader.problems.warn(at, `The factor of ${name} is 0; it is taken as 1.`);
  return { factor: 1, offset };
}

/** Tools that lost the numbers write `nan`, or `1.#QNAN`. */
function readLimits(reader: Reader): { minimum: number; maximum: number } {
  if (!reader.take('[')) return { minimum: NaN, maximum: NaN };
  const minimum = readLimit(reader, '|');
  reader.mark('|');
  const maximum = readLimit(reader, ']');
  reader.mark(']');
  return { minimum, maximum };
}

function readLimit(reader: Reader, end: string): number {
  let value = NaN;
  if (reader.isNumber()) value = reader.number('a limit');
  if (reader.isMark(end)) return value;
  reader.problems.warn(reader.at, 'This limit is no number; it is left out.');
  while (!reader.isMark(end) && !reader.lexer.isFirstOfLine && !reader.isAtEnd) reader.lexer.next();
  return NaN;
}

function missingUnit(reader: Reader): string {
  if (!reader.lexer.isFirstOfLine && !reader.isWord()) reader.fail("the signal's unit in quotation marks");
  reader.problems.warn(reader.at, 'A unit in quotation marks is missing before this.');
  return '';
}

/** Words up to the end of the line, with or without commas. */
function readReceivers(reader: Reader): string[] {
  const receivers: string[] = [];
  while ((reader.isWord() && !reader.lexer.isFirstOfLine) || reader.isMark(',')) {
    if (reader.take(',')) {
      if (reader.isWord()) receivers.push(reader.word('a receiver'));
      continue;
    }
    receivers.push(reader.word('a receiver'));
  }
  return receivers.filter((name) => name !== 'Vector__XXX');
}

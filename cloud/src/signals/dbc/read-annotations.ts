import type { Draft, Labels, Target } from './draft.js';
import { databaseLimits, type ValueRange } from './model.js';
import { Unreadable, type Reader } from './reader.js';

const identifier = "a message's identifier";
const rawId = (reader: Reader): number => reader.whole(identifier, 0xffff_ffff);

/** `VAL_TABLE_ name 0 "off" 1 "on" ;` */
export function readTable(reader: Reader, { tables }: Draft): void {
  const name = reader.word('the name of the table');
  tables.set(name, readLabels(reader));
  reader.semicolon();
}

/** `VAL_ id signal 0 "off" 1 "on" ;`, or the name of a table; of environment variables: not used. */
export function readValueLabels(reader: Reader, { labels }: Draft): void {
  if (reader.isWord()) {
    reader.skipStatement();
    return;
  }
  const { at } = reader;
  const id = rawId(reader);
  const signal = reader.word('the name of a signal');
  const value = reader.isWord() && !reader.lexer.isFirstOfLine ? reader.word('a table') : readLabels(reader);
  labels.push({ at, rawId: id, signal, labels: value });
  reader.semicolon();
}

function readLabels(reader: Reader): Labels {
  const labels: Labels = new Map();
  while (reader.isNumber()) {
    const { at } = reader;
    const value = reader.number('a value');
    const label = reader.string('a label in quotation marks');
    if (labels.has(value)) reader.problems.warn(at, `Value ${value} has two labels; the first is used.`);
    else labels.set(value, label);
  }
  return labels;
}

/** `CM_ SG_ id signal "text";`, of a message, a node, or of the database itself. */
export function readComment(reader: Reader, { comments }: Draft): void {
  const { at } = reader;
  const target = readTarget(reader);
  const text = reader.string('a comment in quotation marks');
  comments.push({ at, target, text });
  reader.semicolon();
}

/** What a comment or an attribute speaks of; the database itself where nothing is said. */
function readTarget(reader: Reader): Target {
  if (!reader.isWord()) return { of: 'database' };
  switch (reader.word('BU_, BO_, SG_ or EV_')) {
    case 'BO_':
      return { of: 'message', rawId: rawId(reader) };
    case 'SG_':
      return { of: 'signal', rawId: rawId(reader), signal: reader.word('the name of a signal') };
    default:
      if (reader.isWord() || reader.isNumber()) reader.lexer.next();
      return { of: 'other' };
  }
}

/** `SIG_VALTYPE_ id signal : 1;` */
export function readRawKind(reader: Reader, { rawKinds }: Draft): void {
  const { at } = reader;
  const id = rawId(reader);
  const signal = reader.word('the name of a signal');
  reader.take(':');
  rawKinds.push({ at, rawId: id, signal, kind: reader.whole('the type of a signal', 3) });
  reader.semicolon();
}

/** `SG_MUL_VAL_ id signal multiplexor 1-1, 3-5;` */
export function readMultiplexing(reader: Reader, { multiplexings }: Draft): void {
  const { at } = reader;
  const id = rawId(reader);
  const signal = reader.word('the name of a signal');
  const multiplexor = reader.word('the name of a multiplexor');
  const ranges: ValueRange[] = [];
  do {
    if (!reader.isNumber()) break;
    const first = reader.number('a value');
    // The text "3-5" reads as 3 and -5.
    const last = reader.take('-') ? reader.number('a value') : Math.abs(reader.number('a value'));
    if (ranges.length >= databaseLimits.rangesMax) {
      throw new Unreadable(at, `${signal} has more than ${databaseLimits.rangesMax} ranges.`);
    }
    ranges.push(first <= last ? [first, last] : [last, first]);
  } while (reader.take(',') || (reader.isNumber() && !reader.lexer.isFirstOfLine));
  multiplexings.push({ at, rawId: id, signal, multiplexor, ranges });
  reader.semicolon();
}

/** `BA_DEF_ BO_ "name" ENUM "a","b";`: only the values of enumerations matter. */
export function readDefinition(reader: Reader, { enumerations }: Draft): void {
  if (reader.isWord()) reader.word('a kind of object');
  const name = reader.string('the name of an attribute');
  if (reader.isWord() && reader.lexer.word === 'ENUM') {
    reader.lexer.next();
    const values: string[] = [];
    while (reader.isString()) {
      values.push(reader.string('a value'));
      reader.take(',');
    }
    enumerations.set(name, values);
  }
  reader.skipStatement();
}

/** `BA_DEF_DEF_ "name" value;` */
export function readDefault(reader: Reader, { defaults }: Draft): void {
  const name = reader.string('the name of an attribute');
  defaults.set(name, readValue(reader));
  reader.semicolon();
}

/** `BA_ "name" BO_ id value;` */
export function readAttribute(reader: Reader, { attributes }: Draft): void {
  const { at } = reader;
  const name = reader.string('the name of an attribute');
  const target = readTarget(reader);
  attributes.push({ at, name, target, value: readValue(reader) });
  reader.semicolon();
}

function readValue(reader: Reader): string | number {
  if (reader.isNumber()) return reader.number('a value');
  return reader.isString() ? reader.string('a value') : reader.word('a value');
}

import { FleetlogError } from '@fleetlog/shared/errors';
import { checkDatabase } from './checks.js';
import { Draft, type MessageDraft } from './draft.js';
import { link } from './link.js';
import { databaseLimits, type Database } from './model.js';
import { Problems, quoted, type Problem } from './problems.js';
import {
  readAttribute,
  readComment,
  readDefault,
  readDefinition,
  readMultiplexing,
  readRawKind,
  readTable,
  readValueLabels,
} from './read-annotations.js';
import { readMessage, readSignal } from './read-messages.js';
import { Reader, Unreadable } from './reader.js';
import { decodeText, type TextEncodingName } from './text.js';

export interface ParsedDatabase {
  database: Database;
  encoding: TextEncodingName;
  /** Of these, 200 of each severity are listed. */
  errors: number;
  warnings: number;
  problems: Problem[];
}

/**
 * Reads a DBC file. What can't be read is left out and listed as an error; the rest stands. Time and memory grow
 * linearly with the bytes, whatever they hold.
 * Errors: FLEETLOG_DATABASE where the file is over 16 MiB, or holds nothing of a database.
 */
export function parseDbc(bytes: Uint8Array): ParsedDatabase {
  if (bytes.length > databaseLimits.bytesMax) {
    throw new FleetlogError(
      'FLEETLOG_DATABASE',
      `The database has ${bytes.length} bytes; at most ${databaseLimits.bytesMax} are read.`,
    );
  }
  const { text, encoding } = decodeText(bytes);
  const problems = new Problems(text);
  const parser = new Parser(new Reader(text, problems));
  parser.run();
  if (parser.statements === 0) {
    throw new FleetlogError('FLEETLOG_DATABASE', "This isn't a DBC file: it has none of its statements.");
  }
  const database = link(parser.draft, problems);
  checkDatabase(parser.draft, problems);
  const { errors, warnings } = problems;
  return { database, encoding, errors, warnings, problems: problems.list() };
}

type Statement = (reader: Reader, draft: Draft) => void;

/** Without these, values would be wrong or missing; what else can't be read costs a comment or a label. */
const essential: ReadonlySet<string> = new Set(['BO_', 'SG_', 'SIG_VALTYPE_', 'SG_MUL_VAL_']);

const skip: Statement = (reader) => reader.skipStatement();

const statements: ReadonlyMap<string, Statement> = new Map<string, Statement>([
  ['VERSION', (reader, draft) => (draft.version = reader.string('the version in quotation marks'))],
  ['NS_', skipNewSymbols],
  ['BS_', skipBitTiming],
  ['BU_', readNodes],
  ['VAL_TABLE_', readTable],
  ['VAL_', readValueLabels],
  ['CM_', readComment],
  ['SIG_VALTYPE_', readRawKind],
  ['SG_MUL_VAL_', readMultiplexing],
  ['BA_DEF_', readDefinition],
  ['BA_DEF_DEF_', readDefault],
  ['BA_', readAttribute],
  ...[
    'BO_TX_BU_',
    'EV_',
    'EV_DATA_',
    'ENVVAR_DATA_',
    'SGTYPE_',
    'SGTYPE_VAL_',
    'BA_DEF_SGTYPE_',
    'BA_SGTYPE_',
    'SIG_TYPE_REF_',
    'SIGTYPE_VALTYPE_',
    'SIG_GROUP_',
    'BA_DEF_REL_',
    'BA_REL_',
    'BA_DEF_DEF_REL_',
    'BU_SG_REL_',
    'BU_EV_REL_',
    'BU_BO_REL_',
    'NS_DESC_',
    'CAT_DEF_',
    'CAT_',
    'FILTER',
  ].map((name): [string, Statement] => [name, skip]),
]);

/** Statements that can't be read before the parser gives up. */
const unreadableMax = 1000;

class Parser {
  readonly draft = new Draft();
  /** Statements met, readable or not. */
  statements = 0;
  /** The message that signals belong to; `left-out` where it isn't one, or couldn't be read. */
  private message: MessageDraft | 'left-out' | undefined;
  private keyword = '';

  constructor(private readonly reader: Reader) {}

  run(): void {
    const { reader } = this;
    let unreadable = 0;
    while (!reader.isAtEnd) {
      try {
        this.statement();
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        if (essential.has(this.keyword)) reader.problems.error(error.at, error.message);
        else reader.problems.warn(error.at, error.message);
        if (++unreadable === unreadableMax) {
          reader.problems.error(error.at, 'Too much of this file is unreadable; the rest is left out.');
          return;
        }
        this.recover();
      }
    }
  }

  private statement(): void {
    const { reader, draft } = this;
    if (reader.take(';')) return; // one too many
    const { at } = reader;
    this.keyword = '';
    const keyword = reader.word('a statement');
    this.keyword = keyword;
    if (keyword === 'SG_') {
      this.statements++;
      if (this.message === undefined) throw new Unreadable(at, 'This signal belongs to no message.');
      if (this.message === 'left-out') reader.lexer.skipLine();
      else readSignal(reader, this.message);
      return;
    }
    if (keyword === 'BO_') {
      this.statements++;
      this.message = 'left-out';
      this.message = readMessage(reader, draft) ?? 'left-out';
      return;
    }
    this.message = undefined;
    const read = statements.get(keyword);
    if (read) {
      this.statements++;
      read(reader, draft);
    } else {
      reader.problems.warn(at, `Nothing is known of ${quoted(keyword)}; the line is left out.`);
      reader.lexer.skipLine();
    }
  }

  /** Goes on with the next line that begins with a statement. */
  private recover(): void {
    const { reader } = this;
    const { lexer } = reader;
    if (lexer.isFirstOfLine && this.isStatement()) return;
    do lexer.skipLine();
    while (!reader.isAtEnd && !this.isStatement());
  }

  private isStatement(): boolean {
    if (!this.reader.isWord()) return false;
    const { word } = this.reader.lexer;
    return word === 'BO_' || word === 'SG_' || statements.has(word);
  }
}

/** Lists the statements that a tool knows: a word on each line, which may look like the statement itself. */
function skipNewSymbols(reader: Reader): void {
  reader.take(':');
  const { lexer } = reader;
  while (reader.isWord()) {
    const { start, end, isFirstOfLine } = lexer;
    lexer.next();
    if (lexer.isFirstOfLine || reader.isAtEnd) continue;
    // More stands on the line: this is the next statement.
    lexer.back(start, end, isFirstOfLine);
    return;
  }
}

function skipBitTiming(reader: Reader): void {
  reader.take(':');
  while (!reader.isAtEnd && !reader.lexer.isFirstOfLine) reader.lexer.next();
}

/** `BU_: node node`, on one line or more. */
function readNodes(reader: Reader, { nodes }: Draft): void {
  reader.take(':');
  while (reader.isWord()) {
    const { word, isFirstOfLine } = reader.lexer;
    if (isFirstOfLine && (statements.has(word) || word === 'BO_')) return;
    nodes.push({ at: reader.at, name: word });
    reader.lexer.next();
    reader.take(',');
  }
}

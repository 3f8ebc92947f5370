import { Lexer, tokenKind } from './lexer.js';
import { quoted, type Problems } from './problems.js';

/** The statement at hand can't be read; the parser notes why and goes on with the next one. */
export class Unreadable extends Error {
  constructor(
    readonly at: number,
    message: string,
  ) {
    super(message);
  }
}

/** Takes what a statement must have next, or throws `Unreadable` with what stands there instead. */
export class Reader {
  readonly lexer: Lexer;

  constructor(
    text: string,
    readonly problems: Problems,
  ) {
    this.lexer = new Lexer(text);
  }

  get at(): number {
    return this.lexer.start;
  }

  get isAtEnd(): boolean {
    return this.lexer.kind === tokenKind.end;
  }

  isMark(character: string): boolean {
    return this.lexer.isMark(character);
  }

  isWord(): boolean {
    return this.lexer.kind === tokenKind.word;
  }

  isString(): boolean {
    return this.lexer.kind === tokenKind.string;
  }

  isNumber(): boolean {
    return this.lexer.kind === tokenKind.number;
  }

  /** Whether it was there. */
  take(character: string): boolean {
    if (!this.isMark(character)) return false;
    this.lexer.next();
    return true;
  }

  mark(character: string): void {
    if (!this.take(character)) this.fail(`"${character}"`);
  }

  word(what: string): string {
    if (!this.isWord()) this.fail(what);
    const { word } = this.lexer;
    this.lexer.next();
    return word;
  }

  string(what: string): string {
    if (!this.isString()) this.fail(what);
    const { content } = this.lexer;
    this.lexer.next();
    return content;
  }

  /** May be infinite or NaN, where the text says so. */
  number(what: string): number {
    if (!this.isNumber()) this.fail(what);
    const { value } = this.lexer;
    this.lexer.next();
    return value;
  }

  whole(what: string, max: number): number {
    const { at } = this;
    const value = this.number(what);
    if (!Number.isInteger(value) || value < 0 || value > max) {
      const subject = `${what[0].toUpperCase()}${what.slice(1)}`;
      throw new Unreadable(at, `${subject} is ${value}; it must be a whole number from 0 to ${max}.`);
    }
    return value;
  }

  /** The end of a statement. Where only the semicolon is missing, it is a warning. */
  semicolon(): void {
    if (this.take(';')) return;
    if (!this.lexer.isFirstOfLine && !this.isAtEnd) this.fail('";"');
    this.problems.warn(this.at, 'A ";" is missing before this.');
  }

  /** Skips to behind the next semicolon. Strings are skipped whole. */
  skipStatement(): void {
    while (!this.isAtEnd && !this.isMark(';')) {
      if (this.lexer.kind === tokenKind.unclosed) this.fail('";"');
      this.lexer.next();
    }
    this.take(';');
  }

  fail(wanted: string): never {
    const { lexer } = this;
    if (lexer.kind === tokenKind.unclosed) {
      throw new Unreadable(lexer.start, 'This quotation mark is never closed.');
    }
    const found = lexer.kind === tokenKind.end ? 'the end of the file' : quoted(lexer.word);
    throw new Unreadable(lexer.start, `Here must be ${wanted}, not ${found}.`);
  }
}

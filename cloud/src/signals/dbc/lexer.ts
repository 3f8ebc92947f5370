export const tokenKind = { end: 0, word: 1, number: 2, string: 3, mark: 4, unclosed: 5 } as const;
export type TokenKind = (typeof tokenKind)[keyof typeof tokenKind];

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SLASH = 0x2f;

const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39;
/** Letters beyond ASCII occur in names, though the format has none. */
const isWordChar = (c: number): boolean =>
  (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a) || c === 0x5f || isDigit(c) || c >= 0x80;
const isSpace = (c: number): boolean =>
  c === 0x20 || (c >= 0x09 && c <= 0x0d) || c === 0xa0 || c === 0xfeff || c === 0;

/**
 * Cuts the text of a DBC file into words, numbers, strings and single marks. The current token is in the fields; nothing
 * is allocated until its text is asked for. Time is linear in the length of the text, whatever it holds.
 */
export class Lexer {
  kind: TokenKind = tokenKind.end;
  /** The token is `text[start … end)`, quotes included. */
  start = 0;
  end = 0;
  /** A line ended between the token before and this one. */
  isFirstOfLine = true;
  /** Value of a number. */
  value = 0;
  /** The number has neither decimal point nor exponent. */
  isWhole = false;
  /** No string that begins from here on is closed: all quotes are escaped. */
  private areStringsOver = false;

  constructor(readonly text: string) {
    this.next();
  }

  get word(): string {
    return this.text.slice(this.start, this.end);
  }

  /** Content of a string: `\"` stands for a quote. */
  get content(): string {
    const raw = this.text.slice(this.start + 1, this.end - 1);
    return raw.includes('\\"') ? raw.replaceAll('\\"', '"') : raw;
  }

  isMark(character: string): boolean {
    return this.kind === tokenKind.mark && this.text[this.start] === character;
  }

  next(): void {
    this.skipSpace();
    const { text } = this;
    this.start = this.end;
    if (this.start >= text.length) {
      this.kind = tokenKind.end;
      return;
    }
    const c = text.charCodeAt(this.start);
    if (c === QUOTE) this.readString();
    else if (isDigit(c) || c === 0x2d || c === 0x2b || c === 0x2e) this.readNumber();
    else if (isWordChar(c)) this.readWord();
    else this.readMark();
  }

  /** Makes a word that was read before the current token again. */
  back(start: number, end: number, isFirstOfLine: boolean): void {
    this.kind = tokenKind.word;
    this.start = start;
    this.end = end;
    this.isFirstOfLine = isFirstOfLine;
  }

  /** Moves to the first token of the next line; whatever is between is skipped unread. */
  skipLine(): void {
    const { text } = this;
    let at = this.end;
    while (at < text.length && text.charCodeAt(at) !== LF && text.charCodeAt(at) !== CR) at++;
    this.end = at;
    this.next();
  }

  private skipSpace(): void {
    const { text } = this;
    let at = this.end;
    this.isFirstOfLine = at === 0;
    for (; at < text.length; at++) {
      const c = text.charCodeAt(at);
      if (c === LF || c === CR) this.isFirstOfLine = true;
      else if (c === SLASH && text.charCodeAt(at + 1) === SLASH) {
        while (at + 1 < text.length && text.charCodeAt(at + 1) !== LF && text.charCodeAt(at + 1) !== CR) at++;
      } else if (!isSpace(c)) break;
    }
    this.end = at;
  }

  private readMark(): void {
    this.kind = tokenKind.mark;
    this.end = this.start + 1;
  }

  private readWord(): void {
    const { text } = this;
    let at = this.start + 1;
    while (at < text.length && isWordChar(text.charCodeAt(at))) at++;
    this.kind = tokenKind.word;
    this.end = at;
  }

  /** A name that begins with a digit is a word: `4WD_Mode`. A sign without digits behind it is a mark. */
  private readNumber(): void {
    const { text, start } = this;
    const first = text.charCodeAt(start);
    const hasSign = first === 0x2d || first === 0x2b;
    let at = start + (hasSign ? 1 : 0);
    const digits = at;
    while (isDigit(text.charCodeAt(at))) at++;
    let digitCount = at - digits;
    this.isWhole = true;
    if (text.charCodeAt(at) === 0x2e) {
      const fraction = at + 1;
      let end = fraction;
      while (isDigit(text.charCodeAt(end))) end++;
      digitCount += end - fraction;
      if (digitCount > 0) {
        at = end;
        this.isWhole = false;
      }
    }
    if (digitCount === 0) {
      this.readMark();
      return;
    }
    const c = text.charCodeAt(at);
    if (c === 0x65 || c === 0x45) {
      const sign = text.charCodeAt(at + 1);
      let end = at + (sign === 0x2d || sign === 0x2b ? 2 : 1);
      if (isDigit(text.charCodeAt(end))) {
        while (isDigit(text.charCodeAt(end))) end++;
        at = end;
        this.isWhole = false;
      }
    }
    if (!hasSign && this.isWhole && isWordChar(text.charCodeAt(at))) {
      this.readWord();
      return;
    }
    this.kind = tokenKind.number;
    this.end = at;
    this.value = Number(text.slice(start, at));
  }

  /**
   * Strings may go over lines. A backslash before a quote makes it part of the string, as most tools write; but tools
   * that know no escapes end paths with one (`"C:\";`), so a quote that ends the statement ends the string too.
   */
  private readString(): void {
    const { text } = this;
    let at = this.start + 1;
    for (;;) {
      at = this.areStringsOver ? -1 : text.indexOf('"', at);
      if (at < 0) {
        this.areStringsOver = true;
        this.kind = tokenKind.unclosed;
        this.end = this.start + 1;
        return;
      }
      if (text.charCodeAt(at - 1) !== BACKSLASH || at - 1 === this.start || this.endsStatement(at + 1)) break;
      at++;
    }
    this.kind = tokenKind.string;
    this.end = at + 1;
  }

  private endsStatement(from: number): boolean {
    const { text } = this;
    let at = from;
    while (text.charCodeAt(at) === 0x20) at++;
    if (text.charCodeAt(at) !== 0x3b) return false;
    at++;
    while (text.charCodeAt(at) === 0x20) at++;
    return at >= text.length || text.charCodeAt(at) === LF || text.charCodeAt(at) === CR;
  }
}

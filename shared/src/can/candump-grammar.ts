/**
 * What the parser and the formatter of `candump -L` text share.
 *
 * ```
 * line   = "(" SECONDS [ "." DECIMALS ] ")" " " INTERFACE " " frame [ " R" / " T" ] [ CR ] LF
 * frame  = id "#" ( data / data8 "_" DLC / "R" [ LENGTH [ "_" DLC ] ] )      ; classic
 *        / id "##" FLAGS data                                                ; CAN FD, up to 64 bytes
 * id     = 3HEXDIG                                                           ; standard
 *        / 8HEXDIG             ; extended; with bit 0x20000000 an error frame
 * data   = *( [ "." ] 2HEXDIG )
 * ```
 *
 * The meaning follows can-utils' lib.c (parse_canframe, sprint_canframe); what lib.c would take with a shrug
 * (an identifier out of range, text behind the frame) is refused here, because it couldn't be written back.
 */

export const LF = 10;
export const CR = 13;
export const SPACE = 32;
export const HASH = 35;
export const OPEN = 40;
export const CLOSE = 41;
export const DOT = 46;
export const ZERO = 48;
export const UNDERSCORE = 95;
export const LETTER_R = 82;
export const LETTER_T = 84;

export const UPPER_CASE = 0x10;
export const LOWER_CASE = 0x20;
export const NO_HEX_DIGIT = 0x80;

/** By byte: value of the hex digit, with UPPER_CASE or LOWER_CASE where it is a letter; else NO_HEX_DIGIT. */
export const hexDigit = new Uint8Array(256).fill(NO_HEX_DIGIT);
for (let value = 0; value < 16; value++) {
  const upper = value.toString(16).toUpperCase().charCodeAt(0);
  const lower = value.toString(16).charCodeAt(0);
  hexDigit[upper] = value | (upper === lower ? 0 : UPPER_CASE);
  hexDigit[lower] = value | (upper === lower ? 0 : LOWER_CASE);
}

/**
 * By two bytes of text, big-endian: the value of two hex digits in the low 8 bits, the notes of `hexDigit` in the high
 * 8 bits. One look-up instead of two.
 */
export const NO_HEX_PAIR = NO_HEX_DIGIT << 8;
export const hexPair = new Uint16Array(65536).fill(NO_HEX_PAIR);
const hexDigits = [...hexDigit.keys()].filter((byte) => hexDigit[byte] !== NO_HEX_DIGIT);
for (const high of hexDigits) {
  for (const low of hexDigits) {
    const notes = (hexDigit[high] | hexDigit[low]) & (UPPER_CASE | LOWER_CASE);
    hexPair[(high << 8) | low] = (notes << 8) | ((hexDigit[high] & 15) << 4) | (hexDigit[low] & 15);
  }
}

/** No candump line comes near: 64 data bytes make 190 bytes of text. */
export const CANDUMP_LINE_BYTES_MAX = 4096;
/** Of the fraction; those beyond µs are kept only in the line's verbatim text. */
export const DECIMALS_MAX = 9;
export const INTERFACE_NAME_BYTES_MAX = 63;
/** Digits that newer can-utils pad the seconds to. */
export const PADDED_SECONDS_DIGITS = 10;

/** What became of a line; from `emptyLine` on it isn't a frame. */
export const lineResult = {
  /** The frame was appended. */
  ok: 0,
  /** Its time is after `dueUs`: nothing was appended. */
  later: 1,
  /** It doesn't fit what the columns hold (time span, number of interfaces): seal them and give the line again. */
  seal: 2,
  emptyLine: 3,
  comment: 4,
  noTime: 5,
  badTime: 6,
  timeRange: 7,
  badInterface: 8,
  badIdentifier: 9,
  identifierRange: 10,
  badFlags: 11,
  badData: 12,
  oddDigits: 13,
  dataLength: 14,
  badRemote: 15,
  badDlc: 16,
  trailingText: 17,
  canXl: 18,
  lineLength: 19,
} as const;
export type LineResult = (typeof lineResult)[keyof typeof lineResult];

const reasons: Record<number, string> = {
  [lineResult.emptyLine]: 'the line is empty',
  [lineResult.comment]: 'a comment, not a frame',
  [lineResult.noTime]: "no time in parentheses at the line's start",
  [lineResult.badTime]: 'the time must be (SECONDS.FRACTION) with at most 9 decimals',
  [lineResult.timeRange]: 'the time is out of range',
  [lineResult.badInterface]: 'no interface name of 1 to 63 printable characters behind the time',
  [lineResult.badIdentifier]: 'the identifier must be 3 or 8 hex digits in front of #',
  [lineResult.identifierRange]: 'the identifier is out of range',
  [lineResult.badFlags]: 'no hex digit of CAN FD flags behind ##',
  [lineResult.badData]: "the data hold something that isn't a hex digit",
  [lineResult.oddDigits]: 'the data have an odd number of hex digits',
  [lineResult.dataLength]: 'more data than 8 bytes, or 64 in CAN FD',
  [lineResult.badRemote]: 'the length of a remote frame must be R0 to R8',
  [lineResult.badDlc]: 'a raw DLC must be _9 to _F behind 8 data bytes',
  [lineResult.trailingText]: 'text behind the frame',
  [lineResult.canXl]: "CAN XL frames aren't supported",
  [lineResult.lineLength]: `longer than ${CANDUMP_LINE_BYTES_MAX} bytes`,
};

/** Why a line isn't a frame, for people. */
export const lineReason = (result: LineResult): string => reasons[result] ?? 'the line is fine';

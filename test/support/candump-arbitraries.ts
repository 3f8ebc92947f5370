import fc from 'fast-check';

/** Text of `candump -L` as programs and people write it: mostly of one style, with odd and malformed lines between. */

interface Writing {
  decimals: number;
  lowerCase: boolean;
  crlf: boolean;
  padded: boolean;
  trimmed: boolean;
}

const writing: fc.Arbitrary<Writing> = fc.record({
  decimals: fc.constantFrom(6, 6, 6, 0, 2, 3, 9),
  lowerCase: fc.boolean(),
  crlf: fc.boolean(),
  padded: fc.boolean(),
  trimmed: fc.boolean(),
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex').toUpperCase();
const data = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength, maxLength }).map(hex);

const standardId = fc.integer({ min: 0, max: 0x7ff }).map((id) => id.toString(16).padStart(3, '0'));
const longId = fc.integer({ min: 0, max: 0x3fffffff }).map((id) => id.toString(16).padStart(8, '0'));
const identifier = fc.oneof({ weight: 3, arbitrary: standardId }, longId).map((id) => id.toUpperCase());
const rawDlc = fc.constantFrom('9', 'A', 'F');

const body = fc.oneof(
  { weight: 12, arbitrary: data(0, 8).map((bytes) => `#${bytes}`) },
  fc.tuple(data(8, 8), rawDlc).map(([bytes, dlc]) => `#${bytes}_${dlc}`),
  fc.constantFrom('#R', '#R0', '#R4', '#R8', '#R8_B', '#r'),
  fc
    .tuple(fc.integer({ min: 0, max: 15 }), data(0, 64))
    .map(([f, bytes]) => `##${f.toString(16).toUpperCase()}${bytes}`),
);

const malformed = fc.constantFrom(
  '',
  ' ',
  '# remark',
  '(1.0) can0 12#',
  '(1.0) can0 123#1',
  '(1.0) can0 123#GG',
  'x',
  '(',
);

interface Line {
  microsLater: number;
  name: string;
  text: string;
  oddity: string;
}

const line: fc.Arbitrary<Line> = fc.record({
  microsLater: fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: -2_000_000, max: 2_000_000 })),
  name: fc.oneof({ weight: 5, arbitrary: fc.constant('can0') }, fc.constantFrom('can1', 'vcan0', 'x')),
  text: fc.tuple(identifier, body).map((parts) => parts.join('')),
  oddity: fc.oneof(
    { weight: 30, arbitrary: fc.constant('') },
    fc.constantFrom('case', 'decimals', 'end', 'spaces', 'padding', ' R', ' T', 'trailing'),
  ),
});

export const candumpText: fc.Arbitrary<string> = fc
  .tuple(
    writing,
    fc.integer({ min: 0, max: 2_000_000_000 }),
    fc.array(fc.oneof({ weight: 20, arbitrary: line }, malformed), { maxLength: 60 }),
    fc.boolean(),
  )
  .map(([style, second, lines, unterminated]) => {
    let timeUs = second * 1e6 + 2_000_000 * lines.length;
    const text = lines.map((item) => {
      const end = style.crlf ? '\r\n' : '\n';
      if (typeof item === 'string') return item + end;
      timeUs += item.microsLater;
      return written(item, timeUs, style, end);
    });
    return unterminated ? text.join('').replace(/\r?\n$/, '') : text.join('');
  });

function written({ name, text, oddity }: Line, timeUs: number, style: Writing, end: string): string {
  const decimals = oddity === 'decimals' ? (style.decimals + 1) % 9 : style.decimals;
  const padded = oddity === 'padding' ? !style.padded : style.padded;
  const seconds = String(Math.floor(timeUs / 1e6)).padStart(padded ? 10 : 1, '0');
  const digits = String(timeUs % 1e6)
    .padStart(6, '0')
    .padEnd(9, '7')
    .slice(0, decimals);
  const fraction = style.trimmed ? digits.replace(/(?<=.)0+$/, '') : digits;
  const lower = oddity === 'case' ? !style.lowerCase : style.lowerCase;
  const frame = lower ? text.replace(/[A-F]/g, (letter) => letter.toLowerCase()) : text;
  const lineEnd = oddity === 'end' ? (end === '\n' ? '\r\n' : '\n') : end;
  const gap = oddity === 'spaces' ? '   ' : ' ';
  const tail = oddity.startsWith(' ') ? oddity : oddity === 'trailing' ? ' ' : '';
  return `(${seconds}${decimals > 0 ? '.' : ''}${fraction})${gap}${name} ${frame}${tail}${lineEnd}`;
}

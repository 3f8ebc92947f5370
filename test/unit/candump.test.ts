import assert from 'node:assert/strict';
import {
  CAN_EFF_FLAG,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  CandumpFormatter,
  CandumpParser,
  CanFrames,
  FRAME_BRS,
  FRAME_ESI,
  FRAME_FD,
  FRAME_FDF,
  FRAME_RX,
  FRAME_TX,
  lineResult,
} from '@fleetlog/shared/can';
import { formatCandump, parseCandump } from '../support/candump-text.js';

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');

/** The only frame of a line, readable. */
function frameOf(line: string) {
  const { batches, malformed } = parseCandump(line);
  assert.deepEqual(malformed, []);
  const [frames] = batches;
  return {
    timeUs: frames.timeUs(0),
    id: frames.id[0],
    flags: frames.flags[0],
    dlc: frames.dlc[0],
    bus: frames.buses[frames.bus[0]],
    data: Buffer.from(frames.data.subarray(0, frames.dataBytes)).toString('hex'),
    verbatim: frames.verbatim.has(0),
    style: frames.style,
  };
}

describe('candump text: frames', () => {
  const at = '(1487341883.960499) can0 ';
  const plain = { flags: 0, verbatim: false };
  const cases: [line: string, expected: Partial<ReturnType<typeof frameOf>>][] = [
    ['091#7F247EDD7388F000', { ...plain, id: 0x091, dlc: 8, data: '7f247edd7388f000' }],
    ['7FF#', { ...plain, id: 0x7ff, dlc: 0, data: '' }],
    ['11FC1063#00', { ...plain, id: CAN_EFF_FLAG + 0x11fc1063, dlc: 1, data: '00' }],
    ['00000001#', { ...plain, id: CAN_EFF_FLAG + 1, dlc: 0, data: '' }],
    ['1FFFFFFF#FF', { ...plain, id: CAN_EFF_FLAG + 0x1fffffff, dlc: 1 }],
    ['20000088#0000000000000010', { ...plain, id: CAN_ERR_FLAG + 0x88, dlc: 8, data: '0000000000000010' }],
    ['123#R', { ...plain, id: CAN_RTR_FLAG + 0x123, dlc: 0, data: '' }],
    ['123#R5', { ...plain, id: CAN_RTR_FLAG + 0x123, dlc: 5, data: '' }],
    ['123#R8', { ...plain, id: CAN_RTR_FLAG + 0x123, dlc: 8 }],
    ['123#R8_C', { ...plain, id: CAN_RTR_FLAG + 0x123, dlc: 12 }],
    ['00ABCDEF#R3', { ...plain, id: CAN_EFF_FLAG + CAN_RTR_FLAG + 0xabcdef, dlc: 3 }],
    ['123#R0', { id: CAN_RTR_FLAG + 0x123, dlc: 0, verbatim: true }],
    ['123#r4', { id: CAN_RTR_FLAG + 0x123, dlc: 4, verbatim: true }],
    ['123#1122334455667788_F', { ...plain, dlc: 15, data: '1122334455667788' }],
    ['123##0', { flags: FRAME_FD, dlc: 0, data: '', verbatim: false }],
    ['123##5112233', { flags: FRAME_FD | FRAME_FDF | FRAME_BRS, dlc: 3, data: '112233', verbatim: false }],
    [
      `123##2${'AB'.repeat(64)}`,
      { flags: FRAME_FD | FRAME_ESI, dlc: 15, data: 'ab'.repeat(64), verbatim: false },
    ],
    [`12345678##1${'0C'.repeat(12)}`, { flags: FRAME_FD | FRAME_BRS, dlc: 9, verbatim: false }],
    [`123##0${'11'.repeat(9)}`, { flags: FRAME_FD, dlc: 9, data: '11'.repeat(9), verbatim: true }],
    ['123##811', { flags: FRAME_FD, data: '11', verbatim: true }],
    ['123#11.22.33', { data: '112233', verbatim: true }],
    ['123#1a2b', { data: '1a2b', verbatim: false }],
    ['123#1A2b', { data: '1a2b', verbatim: true }],
    ['123#11 R', { flags: FRAME_RX, data: '11', verbatim: false }],
    ['123#11 T', { flags: FRAME_TX, data: '11', verbatim: false }],
    ['123#R2 T', { flags: FRAME_TX, dlc: 2, verbatim: false }],
    ['123#11  ', { flags: 0, data: '11', verbatim: true }],
  ];
  for (const [text, expected] of cases) {
    it(`reads ${text.length > 40 ? `${text.slice(0, 40)}…` : text} and writes it back`, () => {
      for (const end of ['\n', '\r\n']) {
        const line = at + text + end;
        const frame = frameOf(line);
        assert.equal(frame.timeUs, 1487341883960499);
        assert.equal(frame.bus, 'can0');
        assert.deepEqual({ ...frame, ...expected }, frame);
        assert.equal(formatCandump(parseCandump(line).batches), line);
        // …and behind another frame, where the quick path may take it
        const behind = `${at}001#00\n${line}`;
        const { batches } = parseCandump(behind);
        assert.equal(batches[0].id[1], frame.id);
        assert.equal(formatCandump(batches), behind);
      }
    });
  }

  const times: [time: string, timeUs: number, verbatim: boolean, decimals: number][] = [
    ['1487341883.960499', 1487341883960499, false, 6],
    ['0.000000', 0, false, 6],
    ['0000000166.000001', 166000001, false, 6],
    ['166.000000', 166000000, false, 6],
    ['1484869955.91', 1484869955910000, false, 2],
    ['1484869955.9', 1484869955900000, false, 1],
    ['1484869955', 1484869955000000, false, 0],
    ['1484869955.', 1484869955000000, true, 0],
    ['1484869955.123456789', 1484869955123456, true, 6],
    ['0166.000000', 166000000, true, 6],
    ['00000000166.000000', 166000000, true, 6],
    ['9000000000.999999', 9000000000999999, false, 6],
  ];
  for (const [time, timeUs, verbatim, decimals] of times) {
    it(`reads the time (${time}) and writes it back`, () => {
      const line = `(${time}) can0 123#AB\n`;
      const frame = frameOf(line);
      assert.deepEqual([frame.timeUs, frame.verbatim, frame.style.decimals], [timeUs, verbatim, decimals]);
      assert.equal(formatCandump(parseCandump(line).batches), line);
    });
  }

  it('keeps the names of several interfaces, and the spaces that align them', () => {
    const text = '(1.000000)  can0 123#11\n(1.000000) vcan0 123#22\n(1.000000)  can0 123#33\n';
    const [frames] = parseCandump(text).batches;
    assert.deepEqual(frames.buses, ['can0', 'vcan0']);
    assert.deepEqual([...frames.bus.subarray(0, 3)], [0, 1, 0]);
    assert.deepEqual([...frames.verbatim.keys()], [0, 2]);
    assert.equal(formatCandump([frames]), text);
  });

  it('seals where a batch would name a 256th interface', () => {
    const text = Array.from({ length: 300 }, (_, i) => `(1.000000) can${i} 123#11\n`).join('');
    const { batches } = parseCandump(text);
    assert.deepEqual(
      batches.map((frames) => frames.count),
      [255, 45],
    );
    assert.equal(formatCandump(batches), text);
  });
});

describe('candump text: malformed lines', () => {
  const at = '(1700000000.000000) can0 ';
  const cases: [line: string, reason: RegExp][] = [
    ['', /is empty/],
    ['  \t', /is empty/],
    ['# made by hand', /comment/],
    ['<0x18eeff01> [8] 05 a0 be 1c 00 a0 a0 c0', /no time/],
    ['can0 123#11', /no time/],
    ['(1.0 can0 123#11', /SECONDS.FRACTION/],
    ['() can0 123#11', /SECONDS.FRACTION/],
    ['(-1.0) can0 123#11', /SECONDS.FRACTION/],
    ['(1.0)can0 123#11', /SECONDS.FRACTION/],
    ['(1.0000000000) can0 123#11', /SECONDS.FRACTION/],
    ['(9000000001.0) can0 123#11', /time is out of range/],
    ['(99999999999999999999999999999.0) can0 123#11', /time is out of range/],
    ['(1.0) ', /interface/],
    ['(1.0) can0', /interface/],
    ['(1.0) cän0 123#11', /interface/],
    [`(1.0) ${'x'.repeat(64)} 123#11`, /interface/],
    [`${at}`, /3 or 8 hex digits/],
    [`${at}12#11`, /3 or 8 hex digits/],
    [`${at}1234#11`, /3 or 8 hex digits/],
    [`${at}12G#11`, /3 or 8 hex digits/],
    [`${at}123456789#11`, /3 or 8 hex digits/],
    [`${at}123`, /3 or 8 hex digits/],
    [`${at}800#11`, /identifier is out of range/],
    [`${at}40000000#11`, /identifier is out of range/],
    [`${at}FFFFFFFF#11`, /identifier is out of range/],
    [`${at}123#1`, /odd number/],
    [`${at}123#112`, /odd number/],
    [`${at}123#11223344556677889`, /odd number/],
    [`${at}123#1G`, /isn't a hex digit/],
    [`${at}123#11-22`, /isn't a hex digit/],
    [`${at}123#11..22`, /isn't a hex digit/],
    [`${at}123#112233445566778899`, /more data/],
    [`${at}123##0${'11'.repeat(65)}`, /more data/],
    [`${at}123##`, /flags/],
    [`${at}123##G11`, /flags/],
    [`${at}123#R9`, /remote frame/],
    [`${at}123#RA`, /remote frame/],
    [`${at}123#R4_A`, /raw DLC/],
    [`${at}123#R8_8`, /raw DLC/],
    [`${at}123#11_A`, /raw DLC/],
    [`${at}123#1122334455667788_`, /raw DLC/],
    [`${at}123##01122334455667788_A`, /isn't a hex digit/],
    [`${at}123#11 X`, /behind the frame/],
    [`${at}123#11 R R`, /behind the frame/],
    [`${at}123#11 Rx`, /behind the frame/],
    [`${at}123#11\r\r`, /behind the frame/],
    [`${at}45123#81:00:12345678#112233`, /CAN XL/],
    [`${at}${' '.repeat(5000)}123#11`, /longer than 4096/],
  ];
  for (const [line, reason] of cases) {
    it(`refuses ${JSON.stringify(line.length > 60 ? `${line.slice(0, 60)}…` : line)}`, () => {
      for (const end of ['\n', '\r\n']) {
        const around = `${at}111#11\n`;
        const { batches, malformed, frameText } = parseCandump(around + line + end + around);
        assert.equal(malformed.length, 1);
        assert.match(malformed[0].reason, reason);
        assert.equal(malformed[0].line, 2);
        assert.equal(batches[0].count, 2, 'its neighbours are kept');
        assert.equal(formatCandump(batches), frameText);
      }
      if (line !== '') assert.equal(parseCandump(line).malformed.length, 1, 'as an unfinished last line too');
    });
  }
});

describe('candump text: style and what is kept verbatim', () => {
  const verbatimOf = (text: string): number[] => {
    const { batches } = parseCandump(text);
    assert.equal(batches.length, 1);
    assert.equal(formatCandump(batches), text);
    return [...batches[0].verbatim.keys()];
  };

  it('keeps a last line without a line feed as it is', () => {
    assert.deepEqual(verbatimOf('(1.000000) can0 123#11\n(1.000000) can0 123#22'), [1]);
    assert.deepEqual(verbatimOf('(1.000000) can0 123#11\n(1.000000) can0 123#22\r'), [1]);
  });

  it('settles the case by the first letter', () => {
    assert.deepEqual(
      verbatimOf(
        '(1.000000) can0 123#11\n(1.000000) can0 123#ab\n(1.000000) can0 12f#AB\n(1.000000) can0 12F#11\n',
      ),
      [2, 3],
    );
  });

  it('settles the padding of the seconds by the first that shows it', () => {
    assert.deepEqual(verbatimOf('(1700000000.000000) can0 001#\n(1700000000.000000) can0 002#\n'), []);
    assert.deepEqual(verbatimOf('(0000000001.000000) can0 001#\n(1.000000) can0 002#\n'), [1]);
    assert.deepEqual(
      verbatimOf('(1.000000) can0 001#\n(0000000001.000000) can0 002#\n(0000000001.000000) can0 003#\n'),
      [1, 2],
    );
  });

  it('keeps lines with other decimals or another line end than the first', () => {
    assert.deepEqual(
      verbatimOf(
        '(1.00) can0 001#\n(1.0) can0 001#\n(1.00) can0 001#\r\n(1.00) can0 001#\n(1.000000) can0 001#\n',
      ),
      [1, 2, 4],
    );
    assert.deepEqual(
      verbatimOf('(1.000000) can0 001#11\r\n(1.000000) can0 001#11\n(1.000000) can0 001#11\r\n'),
      [1],
    );
  });

  it("doesn't let one odd line at a batch's start make the whole batch odd", () => {
    const line = '(1484869955.91) can0 123#11\n';
    const odd = '(1484869955.9) can0 123#11\n';
    const text = line.repeat(10) + odd + line.repeat(9);
    const { batches } = parseCandump(text, new CandumpParser(), 10);
    assert.deepEqual([...batches[1].verbatim.keys()], [0]);
    assert.equal(formatCandump(batches), text);
  });

  it('follows a change of style from the second batch on', () => {
    const text = '(1.00) can0 123#11\n'.repeat(10) + '(2.000) can0 123#11\n'.repeat(30);
    const { batches } = parseCandump(text, new CandumpParser(), 10);
    assert.deepEqual(
      batches.map((frames) => frames.verbatim.size),
      [0, 10, 0, 0],
    );
    assert.equal(formatCandump(batches), text);
  });

  it('notices from the second batch on that a writer drops zeros', () => {
    const text = '(7.91) can0 123#11\n(7.9) can0 123#11\n(7.918) can0 123#11\n(8.0) can0 123#11\n'.repeat(10);
    const { batches } = parseCandump(text, new CandumpParser(), 10);
    assert.deepEqual(
      batches.map((frames) => frames.verbatim.size),
      [7, 0, 0, 0],
    );
    assert.equal(formatCandump(batches), text);
  });

  it('notices as well that zeros are written again', () => {
    const dropped = '(7.123456) can0 123#11\n(7.12345) can0 123#11\n'.repeat(10);
    const text = dropped + '(8.123450) can0 123#11\n(8.123456) can0 123#11\n'.repeat(15);
    const { batches } = parseCandump(text, new CandumpParser(), 10);
    assert.deepEqual(
      batches.map((frames) => frames.verbatim.size),
      [5, 0, 5, 0, 0],
    );
    assert.equal(formatCandump(batches), text);
  });

  it('keeps no old text where the times are shifted', () => {
    const parser = new CandumpParser();
    parser.shiftUs = 1_000_000_000_000_001;
    const { batches } = parseCandump('(1.5)  can0 123#1a.B1\n(2.25) can0 123#11', parser);
    assert.equal(batches[0].verbatim.size, 0);
    assert.equal(
      formatCandump(batches),
      '(1000000001.500001) can0 123#1AB1\n(1000000002.250001) can0 123#11\n',
    );
  });
});

describe('candump parser: what the caller sets', () => {
  const text = bytesOf('(10.000000) can0 123#11\n(11.000000) can0 123#22\n(9.000000) can0 123#33\n');

  it('leaves frames that are not due, and appends nothing of them', () => {
    const parser = new CandumpParser();
    const frames = new CanFrames();
    parser.dueUs = 9_999_999;
    assert.equal(parser.parseLine(text, 0, frames), lineResult.later);
    assert.equal(parser.timeUs, 10_000_000);
    assert.equal(frames.count, 0);
    parser.dueUs = 10_000_000;
    assert.equal(parser.parseLine(text, 0, frames), lineResult.ok);
    assert.equal(parser.parseLine(text, parser.lineEnd, frames), lineResult.later);
    assert.equal(frames.count, 1);
  });

  it('asks for a new batch where the span is exceeded, forwards or backwards', () => {
    const parser = new CandumpParser();
    parser.spanUs = 999_999;
    const frames = new CanFrames();
    parser.parseLine(text, 0, frames);
    assert.equal(parser.parseLine(text, 24, frames), lineResult.seal);
    assert.equal(parser.parseLine(text, 48, frames), lineResult.seal);
    frames.clear();
    assert.equal(parser.parseLine(text, 24, frames), lineResult.ok);
  });

  it('counts the bytes that it keeps verbatim', () => {
    const parser = new CandumpParser();
    const frames = new CanFrames();
    const odd = bytesOf('(1.000000)  can0 123#11\n');
    parser.parseLine(odd, 0, frames);
    parser.parseLine(odd, 0, frames);
    assert.equal(parser.verbatimBytes, 2 * odd.length);
  });
});

describe('candump formatter', () => {
  it('writes a part of the frames', () => {
    const text = Array.from({ length: 5 }, (_, i) => `(1.00000${i}) can0 123#0${i}\n`);
    const [frames] = parseCandump(text.join('')).batches;
    const formatter = new CandumpFormatter();
    assert.equal(Buffer.from(formatter.format(frames, 1, 3)).toString(), text.slice(1, 3).join(''));
    assert.equal(formatter.format(frames, 2, 2).length, 0);
  });

  it('grows for batches of any size', () => {
    const text = `(1.000000) can0 123##0${'AB'.repeat(64)}\n`.repeat(5000);
    assert.equal(formatCandump(parseCandump(text).batches), text);
  });
});

import assert from 'node:assert/strict';
import {
  compress,
  decodeLines,
  encodeLines,
  limits,
  TextLines,
  type BatchHeader,
} from '@fleetlog/shared/batch';
import { assertRefused, sent } from '../support/batches.js';

const baseUs = 1_790_000_000_000_000;

function linesOf(records: [number, string | Uint8Array][]): TextLines {
  const lines = new TextLines(1, 1); // grows on the way
  for (const [timeUs, text] of records) {
    const bytes = typeof text === 'string' ? Buffer.from(text) : text;
    lines.append(timeUs, bytes, 0, bytes.length);
  }
  return lines;
}

const recordsOf = (lines: TextLines): [number, string][] =>
  Array.from({ length: lines.count }, (_, i) => [
    lines.timeUs(i),
    Buffer.from(lines.line(i)).toString('latin1'),
  ]);

describe('lines-1', () => {
  it('keeps each line with the line end it came with, whatever its bytes', () => {
    const records: [number, string][] = [
      [baseUs, '$GPGGA,1*47\r\n'],
      [baseUs + 1, 'unix\n'],
      [baseUs + 1, '\n'],
      [baseUs + 2, ''],
      [baseUs + 3, '\0\x80\xff\r\r\n'],
      [baseUs + 4, 'the last line has no line end'],
    ];
    const lines = linesOf(records.map(([time, text]) => [time, Buffer.from(text, 'latin1')]));
    assert.deepEqual(recordsOf(decodeLines(sent(encodeLines(lines)))), records);
  });

  it('says the facts of the batch: count, smallest and largest time', () => {
    const encoded = encodeLines(
      linesOf([
        [baseUs, 'a\n'],
        [baseUs + 900, 'b\n'],
        [baseUs - 50, 'c\n'],
      ]),
    );
    assert.equal(encoded.recordCount, 3);
    assert.equal(encoded.firstTimeUs, baseUs - 50);
    assert.equal(encoded.lastTimeUs, baseUs + 900);
  });

  it('times may jump by the widest span that one batch holds', () => {
    const span = 0x7fff_ffff;
    const lines = linesOf([
      [baseUs, 'a'],
      [baseUs + span, 'b'],
      [baseUs - span, 'c'],
      [baseUs + span, 'd'],
    ]);
    assert.ok(
      lines.takes(baseUs + span) && !lines.takes(baseUs + span + 1) && !lines.takes(baseUs - span - 1),
    );
    assert.deepEqual(recordsOf(decodeLines(sent(encodeLines(lines)))), recordsOf(lines));
  });

  it('an empty batch is a batch', () => {
    const decoded = decodeLines(sent(encodeLines(new TextLines())));
    assert.equal(decoded.count, 0);
    assert.equal(decoded.textBytes, 0);
  });

  it('a line may have a megabyte, and no more', () => {
    const longest = Buffer.alloc(limits.lineBytesMax, 'x');
    assert.equal(decodeLines(sent(encodeLines(linesOf([[baseUs, longest]])))).textBytes, limits.lineBytesMax);
    const longer = Buffer.alloc(limits.lineBytesMax + 1, 'x');
    assertRefused(() => encodeLines(linesOf([[baseUs, longer]])), 'FLEETLOG_BATCH_LIMIT');
  });

  it('decodes into columns that held something else, and reuses them', () => {
    const into = linesOf([
      [5, 'something longer than what follows'],
      [6, 'more'],
    ]);
    const { bytes } = into;
    const decoded = decodeLines(sent(encodeLines(linesOf([[baseUs, 'short\n']]))), into);
    assert.equal(decoded, into);
    assert.equal(decoded.bytes, bytes);
    assert.deepEqual(recordsOf(decoded), [[baseUs, 'short\n']]);
  });

  it('a minute of NMEA costs less than a quarter of its text', () => {
    const lines = new TextLines();
    for (let second = 0; second < 60; second++) {
      for (const type of ['GGA', 'RMC', 'VTG']) {
        const position = `${(4807.038 + second / 700).toFixed(4)},N,${(1131 + second / 900).toFixed(4)},E`;
        const text = Buffer.from(
          `$GP${type},12${(3500 + second).toString()}.00,${position},1,08,0.9,545.4,M*4${second % 10}\r\n`,
        );
        lines.append(baseUs + second * 1_000_000, text, 0, text.length);
      }
    }
    const { payload } = encodeLines(lines);
    assert.ok(payload.length * 4 < lines.textBytes, `${payload.length} bytes of ${lines.textBytes}`);
  });

  const raw = (changes: Partial<BatchHeader>, ...bytes: number[]): (() => TextLines) => {
    const content = Uint8Array.from(bytes);
    const facts = { recordCount: 1, firstTimeUs: baseUs, lastTimeUs: baseUs };
    const encoded = {
      kind: 'lines',
      codec: 'lines-1',
      payload: compress(content),
      rawBytes: content.length,
    } as const;
    return () => decodeLines(sent({ ...facts, ...encoded }, changes));
  };

  it('a payload written by hand from the specification reads', () => {
    // times: +2 (zigzag 4), then -2 (zigzag 3); lengths 1 and 2; text
    const lines = raw({ recordCount: 2, lastTimeUs: baseUs + 2 }, 4, 3, 1, 2, 0x61, 0x62, 0x0a)();
    assert.deepEqual(recordsOf(lines), [
      [baseUs + 2, 'a'],
      [baseUs, 'b\n'],
    ]);
  });

  it('payloads that contradict themselves or their header are refused', () => {
    raw({}, 0, 1, 0x61)();
    const refused: Record<string, () => TextLines> = {
      'text behind the last line': raw({}, 0, 1, 0x61, 0x62),
      'a line longer than the text': raw({}, 0, 2, 0x61),
      'more records than bytes': raw({ recordCount: 1000 }, 0, 1, 0x61),
      'more records than there are': raw({ recordCount: 2 }, 0, 1, 0x61, 0x61),
      'a number that does not end': raw({}, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0x61),
      'a number cut short': raw({}, 0x80, 0x80),
      'a first time before that of the header': raw({}, 1, 1, 0x61),
      'a last time before that of the header': raw({ lastTimeUs: baseUs + 9 }, 0, 1, 0x61),
      'a span that columns cannot hold': raw(
        { recordCount: 2, lastTimeUs: baseUs + 2 ** 31 },
        0,
        0x80,
        0x80,
        0x80,
        0x80,
        0x10,
        0,
        0,
      ),
    };
    for (const [what, decode] of Object.entries(refused)) {
      assert.throws(decode, { code: 'FLEETLOG_BATCH_MALFORMED' }, what);
    }
    const overLimit = raw({}, 0, 0x81, 0x80, 0x40, 0x61); // 2^20 + 1
    assertRefused(overLimit, 'FLEETLOG_BATCH_LIMIT');
  });

  it('a batch of another codec is refused', () => {
    const batch = sent(encodeLines(linesOf([[baseUs, 'a']])));
    const other = { ...batch, header: { ...batch.header, codec: 'can-1' as const } };
    assertRefused(() => decodeLines(other), 'FLEETLOG_BATCH_CODEC');
  });
});

import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { readFileSync } from 'node:fs';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { parseDbc } from '#cloud/signals/dbc/parser.js';
import { bytesNeeded, type Signal } from '#cloud/signals/dbc/model.js';
import { messageText, parseText, realDatabases, whyNoRealDatabases } from '../support/dbc.js';

const first = (text: string): Signal => parseText(text).database.messages[0].signals[0];
const complaints = (text: string): string[] =>
  parseText(text).problems.map(
    ({ severity, line, column, text: what }) => `${severity} ${line}:${column} ${what}`,
  );

describe('DBC parser', () => {
  it('reads what a signal is', () => {
    const signal = first(messageText(['Speed : 7|16@0- (0.01,-40) [-40|215.5] "km/h" A,B']));
    assert.deepEqual(
      { ...signal, attributes: undefined, multiplexing: undefined },
      {
        name: 'Speed',
        startBit: 7,
        length: 16,
        isBigEndian: true,
        raw: 'signed',
        factor: 0.01,
        offset: -40,
        minimum: -40,
        maximum: 215.5,
        unit: 'km/h',
        receivers: ['A', 'B'],
        comment: '',
        isMultiplexor: false,
        multiplexing: undefined,
        labels: undefined,
        attributes: undefined,
      },
    );
  });

  it('tells identifiers of 11 and 29 bits apart', () => {
    const { database } = parseText('BO_ 256 A: 8 X\nBO_ 2566844926 B: 8 X\n');
    assert.deepEqual(
      database.messages.map(({ id, isExtended }) => [id, isExtended]),
      [
        [0x100, false],
        [0x18fef1fe, true],
      ],
    );
  });

  it('puts labels, comments over lines, types, attributes and their defaults where they belong', () => {
    const { database, warnings } = parseText(
      messageText(['A : 0|32@1+ (1,0) [0|0] "" Node', 'B : 32|8@1+ (1,0) [0|0] "" Node']) +
        'CM_ SG_ 256 A "two\nlines; with \\"quotes\\" and a ;";\nCM_ BO_ 256 "the message";\n' +
        'VAL_TABLE_ Switch 1 "on" 0 "off" ;\nVAL_ 256 B Switch ;\nVAL_ 256 A 3 "three" -1 "none" ;\n' +
        'SIG_VALTYPE_ 256 A : 1;\n' +
        'BA_DEF_ BO_ "GenMsgCycleTime" INT 0 10000;\nBA_DEF_DEF_ "GenMsgCycleTime" 100;\n' +
        'BA_DEF_ SG_ "SPN" INT 0 1;\nBA_ "SPN" SG_ 256 A 190;\nBA_ "DBName" "x";\n',
    );
    const [message] = database.messages;
    const [a, b] = message.signals;
    assert.equal(warnings, 0);
    assert.equal(a.comment, 'two\nlines; with "quotes" and a ;');
    assert.equal(message.comment, 'the message');
    assert.equal(a.raw, 'float');
    assert.equal(a.labels?.get(-1), 'none');
    assert.equal(b.labels?.get(0), 'off');
    assert.equal(message.cycleTimeMs, 100);
    assert.equal(a.attributes.get('SPN'), 190);
    assert.equal(database.attributes.get('DBName'), 'x');
  });

  it('knows simple and extended multiplexing, cascades and ranges', () => {
    const { database, problems } = parseText(
      messageText([
        'Mux M : 0|8@1+ (1,0) [0|0] "" X',
        'A m1 : 8|8@1+ (1,0) [0|0] "" X',
        'B m2M : 8|8@1+ (1,0) [0|0] "" X',
        'C m0 : 16|8@1+ (1,0) [0|0] "" X',
      ]).replace('BU_: Node', 'BU_: Node X') + 'SG_MUL_VAL_ 256 C B 1-1, 3-5,7 - 9;\n',
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(
      database.messages[0].signals.map(({ multiplexing }) => multiplexing),
      [
        undefined,
        { multiplexor: 'Mux', ranges: [[1, 1]] },
        { multiplexor: 'Mux', ranges: [[2, 2]] },
        {
          multiplexor: 'B',
          ranges: [
            [1, 1],
            [3, 5],
            [7, 9],
          ],
        },
      ],
    );
  });

  it('leaves out signals that wait for each other', () => {
    const text =
      messageText(['A m0M : 0|8@1+ (1,0) [0|0] "" X', 'B m0M : 8|8@1+ (1,0) [0|0] "" X']) +
      'SG_MUL_VAL_ 256 A B 1-1;\nSG_MUL_VAL_ 256 B A 1-1;\n';
    assert.deepEqual(parseText(text).database.messages[0].signals, []);
    assert.match(complaints(text).join('\n'), /A depends on no multiplexor/);
  });

  const formats: [string, string][] = [
    ['BA_ "VFrameFormat" BO_ 2566844926 3;', 'j1939'],
    ['BA_ "VFrameFormat" BO_ 2566844926 15;', 'extended-fd'],
    ['BA_ "ProtocolType" "J1939";', 'j1939'],
    ['BA_ "ProtocolType" "J1939"; BA_ "VFrameFormat" BO_ 2566844926 1;', 'extended'],
    ['BA_DEF_ BO_ "VFrameFormat" ENUM "a","J1939PG"; BA_ "VFrameFormat" BO_ 2566844926 1;', 'j1939'],
  ];
  for (const [attributes, format] of formats) {
    it(`takes a message for ${format} where the file says ${attributes}`, () => {
      const { database } = parseText(`BO_ 2566844926 A: 8 X\n${attributes}\n`);
      assert.equal(database.messages[0].format, format);
    });
  }

  const encodings: [string, Buffer][] = [
    ['utf-8', Buffer.from('°C')],
    ['windows-1252', Buffer.from([0xb0, 0x43])],
  ];
  for (const [name, unit] of encodings) {
    it(`reads ${name} without being told`, () => {
      const [before, after] = messageText(['T : 0|8@1+ (1,0) [0|0] "?" Node']).split('?');
      const parsed = parseDbc(Buffer.concat([Buffer.from(before), unit, Buffer.from(after)]));
      assert.equal(parsed.encoding, name);
      assert.equal(parsed.database.messages[0].signals[0].unit, '°C');
    });
  }

  it('reads UTF-16 by its byte order mark, and CR LF, and a byte order mark of UTF-8', () => {
    const text = messageText(['T : 0|8@1+ (1,0) [0|0] "°C" Node']).replaceAll('\n', '\r\n');
    for (const bytes of [Buffer.from(`\ufeff${text}`, 'utf16le'), Buffer.from(`\ufeff${text}`)]) {
      const { database, problems } = parseDbc(bytes);
      assert.deepEqual(problems, []);
      assert.equal(database.messages[0].signals[0].unit, '°C');
    }
  });

  const strange: [string, string, RegExp][] = [
    [
      'signals that overlap',
      messageText(['A : 0|8@1+ (1,0) [0|0] "" Node', 'B : 7|4@1+ (1,0) [0|0] "" Node']),
      /^warning 7:6 B overlaps A/,
    ],
    [
      'a signal longer than its message',
      messageText(['A : 60|8@1+ (1,0) [0|0] "" Node']),
      /^warning 6:6 A needs 9 bytes/,
    ],
    ['a message twice', 'BO_ 1 A: 8 X\nBO_ 1 B: 8 X\n', /^warning 2:5 B has the identifier of A/],
    [
      'a signal twice',
      messageText(['A : 0|8@1+ (1,0) [0|0] "" Node', 'A : 8|8@1+ (1,0) [0|0] "" Node']),
      /^warning 7:6 Message has several signals A/,
    ],
    ['a node that is not listed', messageText([], 'BO_ 1 A: 8 Other'), /^warning 5:5 Node "Other"/],
    [
      '29 bits without their mark',
      'BO_ 2048 A: 8 X\n',
      /^warning 1:5 The identifier of A has more than 11 bits/,
    ],
    [
      'a comment of what is not there',
      'BO_ 1 A: 8 X\nCM_ SG_ 1 B "x";\n',
      /^warning 2:5 This speaks of signal "B"/,
    ],
    ['a comment of nothing', 'BO_ 1 A: 8 X\nCM_ 272 "x";\n', /^warning 2:5 Here must be a comment/],
    ['a missing semicolon', 'BO_ 1 A: 8 X\nCM_ BO_ 1 "x"\nCM_ "y";\n', /^warning 3:1 A ";" is missing/],
    ['a statement of another tool', 'BO_ 1 A: 8 X\nFOO_ 1 2 3;\n', /^warning 2:1 Nothing is known of "FOO_"/],
    [
      'a float of 16 bits',
      `${messageText(['A : 0|16@1+ (1,0) [0|0] "" Node'])}SIG_VALTYPE_ 256 A : 1;`,
      /taken as integer/,
    ],
  ];
  for (const [what, text, complaint] of strange) {
    it(`warns of ${what}, and reads the rest`, () => {
      const [found, ...more] = complaints(text);
      assert.match(found ?? '', complaint);
      assert.deepEqual(more, []);
    });
  }

  const broken: [string, string, RegExp][] = [
    [
      'a signal without a place',
      messageText(['A : x']),
      /^error 6:10 Here must be a signal's start bit, not "x"/,
    ],
    ['65 bits', messageText(['A : 0|65@1+ (1,0) [0|0] "" Node']), /^error 6:12 Signal A has 65 bits/],
    [
      'a factor that is no number',
      messageText(['A : 0|8@1+ (1e999,0) [0|0] "" Node']),
      /^error 6:17 The factor/,
    ],
    [
      'a signal of no message',
      'SG_ A : 0|8@1+ (1,0) [0|0] "" X\n',
      /^error 1:1 This signal belongs to no message/,
    ],
    ['an open quotation mark', messageText(['A : 0|8@1+ (1,0) [0|0] "V Node']), /^error 6:29 .*never closed/],
  ];
  for (const [what, text, complaint] of broken) {
    it(`says where there is ${what}`, () => {
      assert.match(complaints(text)[0] ?? '', complaint);
    });
  }

  it('goes on behind an error', () => {
    const text = messageText(['A : x', 'B : 0|8@1+ (1,0) [0|0] "" Node']);
    assert.deepEqual(
      parseText(text).database.messages[0].signals.map(({ name }) => name),
      ['B'],
    );
  });

  it('refuses what is no database at all', () => {
    for (const text of ['', 'hello\n', '{"a": 1}']) {
      assert.throws(
        () => parseText(text),
        (error) => isFleetlogError(error, 'FLEETLOG_DATABASE'),
      );
    }
  });

  it('takes a path that ends in a backslash for a whole string', () => {
    const { database } = parseText('BA_ "Path" "C:\\dir\\";\nBA_ "Next" "x";\n');
    assert.deepEqual(
      [...database.attributes],
      [
        ['Path', 'C:\\dir\\'],
        ['Next', 'x'],
      ],
    );
  });

  it('needs the bytes that hold a big-endian signal', () => {
    const needed = (place: string): number =>
      bytesNeeded(first(messageText([`A : ${place}@0+ (1,0) [0|0] "" Node`])));
    assert.deepEqual(
      [needed('7|8'), needed('7|9'), needed('0|1'), needed('0|2'), needed('3|12'), needed('39|16')],
      [1, 2, 1, 2, 2, 6],
    );
  });

  it('reads the databases of other projects: 49 files without an error', function () {
    const files = realDatabases();
    if (files.length === 0) {
      console.log(`      skipped: ${whyNoRealDatabases}`);
      this.skip();
    }
    let signals = 0;
    for (const file of files) {
      const { database, errors, problems } = parseDbc(readFileSync(file));
      assert.equal(errors, 0, `${file}: ${JSON.stringify(problems[0])}`);
      if (!['cp1252.dbc', 'message-dlc-zero.dbc'].includes(basename(file))) {
        assert.ok(
          database.messages.some((message) => message.signals.length > 0),
          file,
        );
      }
      signals += database.messages.reduce((sum, message) => sum + message.signals.length, 0);
    }
    assert.ok(signals > 12_000, `${signals} signals`);
  });
});

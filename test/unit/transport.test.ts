import assert from 'node:assert/strict';
import { CAN_EFF_FLAG, CanFrames, FRAME_FD } from '@fleetlog/shared/can';
import type { Message } from '#cloud/signals/dbc/model.js';
import { obdDatabase } from '#cloud/signals/obd/database.js';
import { StreamDecoder, type SignalMeaning } from '#cloud/signals/stream-decoder.js';
import { messageText, parseText } from '../support/dbc.js';
import { makersDatabase, obdCases, whyNoObdCases, type ObdCase } from '../support/obd-cases.js';

/** `id#data` in hexadecimal, `##` for CAN FD, 1 ms apart unless `@ms` says otherwise. */
function framesOf(lines: readonly string[]): CanFrames {
  const frames = new CanFrames();
  for (const [i, line] of lines.entries()) {
    const [, id, mark, hex, ms = String(i), bus = 'can0'] = /^(\w+)(##?)(\w*)(?:@(\d+))?(?:%(\w+))?$/.exec(
      line,
    )!;
    const data = Buffer.from(hex, 'hex');
    const canId = id.length > 3 ? (Number.parseInt(id, 16) | CAN_EFF_FLAG) >>> 0 : Number.parseInt(id, 16);
    const flags = mark === '##' ? FRAME_FD : 0;
    frames.append(1000 * Number(ms), canId, flags, data.length, frames.busIndex(bus), data, 0, data.length);
  }
  return frames;
}

/** Values of a signal, as `time in ms:value`. */
function valuesOf(
  messages: readonly Message[],
  names: string,
  lines: readonly string[],
  split = lines.length,
): string[] {
  const [messageName, signalName] = names.split('/');
  const message = messages.find(({ name }) => name === messageName)!;
  const signal = message.signals.find(({ name }) => name === signalName)!;
  const one: SignalMeaning = { message, signal, fromUs: undefined, toUs: undefined };
  const decoder = new StreamDecoder([[one]]);
  const frames = framesOf(lines);
  const found: string[] = [];
  for (let at = 0; at < frames.count; at += split) {
    for (const [{ count, times, values }] of decoder.decode(frames, at, Math.min(frames.count, at + split))) {
      for (let i = 0; i < count; i++) found.push(`${times[i] / 1000}:${values[i]}`);
    }
  }
  return found;
}

/** How a database says which addressing a message has. */
const isoTp = (addressing: string, id = 0x7ec): string =>
  'BA_DEF_ BO_ "IsoTpAddressing" ENUM "","normal","extended","mixed";\n' +
  `BA_DEF_DEF_ "IsoTpAddressing" "";\nBA_ "IsoTpAddressing" BO_ ${id} "${addressing}";\n`;

const long = (id: number, signal: string, length = 20): Message[] =>
  parseText(messageText([signal], `BO_ ${id} Long: ${length} Node`)).database.messages;

const battery = long(0x7ec, 'Charge : 80|8@1+ (0.5,0) [0|0] "%" Node');
const batteryFrames = ['7EC#100C620101FFF7E7', '7EC#21010203C8556677'];

describe('messages cut into frames', () => {
  it('are put together by ISO-TP, and have the time of their last frame', () => {
    assert.deepEqual(valuesOf(battery, 'Long/Charge', ['7EC#100C620101FFF7E7', '7EC#2103040506C80000']), [
      '1:100',
    ]);
  });

  it('are put together of the fast packets of NMEA 2000, from every sender, with others in between', () => {
    // PGN 129029, the position of canboat's recombine-frames.in.
    const position = long(
      (0x8df8_05fe | 0x8000_0000) >>> 0,
      'Latitude : 56|64@1- (1E-16,0) [0|0] "deg" Node',
      47,
    );
    const parts = ['002FE7953D0073D6', '012900DA0473DBC9', '02E505807D02285F', '03D610F69B506C05'];
    parts.push('040000000013FC08', '056F00BE00DDF2FF', '06FF00FFFFFFFFFF');
    const id = '0DF80500';
    const frames = parts.map((data) => `${id}#${data}`);
    const other = parts.map(
      (data) => `0DF80523#${(Number.parseInt(data.slice(0, 2), 16) | 0x40).toString(16)}${data.slice(2)}`,
    );
    const [found, ...more] = valuesOf(position, 'Long/Latitude', frames);
    assert.match(found, /^6:42\.49676/);
    assert.deepEqual(more, []);
    const turns = frames.flatMap((frame, i) => [frame, other[i]]);
    assert.equal(valuesOf(position, 'Long/Latitude', turns, 3).length, 2);
    assert.deepEqual(valuesOf(position, 'Long/Latitude', frames.toSpliced(3, 1)), [], 'a frame is missing');
    assert.deepEqual(valuesOf(position, 'Long/Latitude', frames.slice(1)), [], 'the first is missing');
    assert.deepEqual(valuesOf(position, 'Long/Latitude', [`${id}#00FF010203040506`]), [], 'too long');
  });

  it('go on where the frames come in other portions', () => {
    const frames = [...batteryFrames, '7EC#0142', ...batteryFrames];
    for (const split of [1, 2, 3, 5]) {
      assert.deepEqual(
        valuesOf(battery, 'Long/Charge', frames, split),
        valuesOf(battery, 'Long/Charge', frames),
      );
    }
    assert.equal(valuesOf(battery, 'Long/Charge', frames, 1).length, 2);
  });

  const lost: [string, string[]][] = [
    ['a frame is missing', ['7EC#1013620101FFF7E7', '7EC#22010203C8556677']],
    ['the rest comes a second too late', ['7EC#100C620101FFF7E7@0', '7EC#21010203C8556677@1500']],
    ['the first frame is missing', ['7EC#21010203C8556677']],
    ['the rest comes on another bus', ['7EC#100C620101FFF7E7@0%a', '7EC#21010203C8556677@1%b']],
    ['another message begins', ['7EC#100C620101FFF7E7', '7EC#0142', '7EC#21010203C8556677']],
    [
      'the frames are not of the protocol',
      ['7EC#FFFFFFFFFFFFFFFF', '7EC#', '7EC#00', '7EC#10', '7EC#1000000010000000', '7EC#0F11'],
    ],
  ];
  for (const [what, frames] of lost) {
    it(`give nothing where ${what}`, () => assert.deepEqual(valuesOf(battery, 'Long/Charge', frames), []));
  }

  describe('over CAN FD', () => {
    const [first, second] = ['10647E', '21'].map((head) => head.padEnd(128, head === '21' ? 'C8' : '0'));
    const big = long(0x7ec, 'Charge : 640|8@1+ (0.5,0) [0|0] "%" Node', 100);

    it('are put together where they are longer than a frame, with the frames as long as the first', () => {
      assert.deepEqual(valuesOf(big, 'Long/Charge', [`7EC##${first}`, `7EC##${second}`]), ['1:100']);
      const short = [`7EC##${first}`, `7EC##${second.slice(0, 48)}`, `7EC##22${second.slice(2)}`];
      assert.deepEqual(valuesOf(big, 'Long/Charge', short), []);
      assert.deepEqual(valuesOf(big, 'Long/Charge', [`7EC##${second}`]), []);
    });

    it('are read out of one frame whose second byte is the length', () => {
      const text = messageText(['Charge : 80|8@1+ (0.5,0) [0|0] "%" Node'], 'BO_ 2028 Long: 20 Node');
      const { messages } = parseText(`${text}${isoTp('normal')}`).database;
      const data = `000C620101${'00'.repeat(7)}C8`;
      assert.deepEqual(valuesOf(messages, 'Long/Charge', [`7EC##${data}`]), []); // 12 bytes are announced, 11 came
      assert.deepEqual(valuesOf(messages, 'Long/Charge', [`7EC##${data.replace('000C', '000B')}`]), [
        '0:100',
      ]);
    });

    it('are taken as they are where the database does not say that they are ISO-TP', () => {
      assert.deepEqual(valuesOf(battery, 'Long/Charge', [`7EC##${'00'.repeat(10)}C8`]), ['0:100']);
    });

    it('answer OBD-II', () => {
      const { messages } = obdDatabase().database;
      assert.deepEqual(valuesOf(messages, 'OBD2/RPM', ['7E8##0008410C35E40D560000000000']), ['0:3449']);
    });
  });

  describe('with an address before them', () => {
    const text = messageText(['Charge : 80|8@1+ (0.5,0) [0|0] "%" Node'], 'BO_ 2028 Long: 20 Node');
    const parts = (id: string, address: string): string[] => [
      `${id}#${address}100B62010100FF`,
      `${id}#${address}210203040506C8`,
    ];

    for (const addressing of ['extended', 'mixed'] as const) {
      it(`are put together where the database says so: ${addressing}`, () => {
        const { messages } = parseText(`${text}${isoTp(addressing)}`).database;
        assert.deepEqual(valuesOf(messages, 'Long/Charge', parts('7EC', 'F1')), ['1:100']);
        const [one, other] = [parts('7EC', 'F1'), parts('7EC', 'F2')];
        const turns = [one[0], other[0], one[1], other[1]];
        assert.deepEqual(valuesOf(messages, 'Long/Charge', turns), ['2:100', '3:100']);
        assert.deepEqual(valuesOf(messages, 'Long/Charge', ['7EC#', '7EC#F1', '7EC#F10B', other[1]]), []);
      });
    }

    it('are put together where the identifier says so, and not where the database says otherwise', () => {
      const fixed = messageText(
        ['Charge : 80|8@1+ (0.5,0) [0|0] "%" Node'],
        `BO_ ${0x98ce_f110} Long: 20 Node`,
      );
      const frames = parts('18CEF110', 'F1');
      assert.deepEqual(valuesOf(parseText(fixed).database.messages, 'Long/Charge', frames), ['1:100']);
      const normal = `${fixed}${isoTp('normal', 0x98ce_f110)}`;
      assert.deepEqual(valuesOf(parseText(normal).database.messages, 'Long/Charge', frames), []);
    });
  });

  it('have the length before the service where the database describes them so', () => {
    const text = messageText(
      ['service M : 15|8@0+ (1,0) [0|0] "" Node', 'Charge m98 : 88|8@1+ (0.5,0) [0|0] "%" Node'],
      'BO_ 2028 Long: 20 Node',
    );
    const { messages } = parseText(text).database;
    assert.deepEqual(valuesOf(messages, 'Long/Charge', ['7EC#100C620101FFF7E7', '7EC#2103040506C80000']), [
      '1:100',
    ]);
  });

  const engine = long(0x98fee300, 'Speed : 96|16@1+ (0.125,0) [0|0] "rpm" Node', 28);
  const announced = [
    '1CECFF00#201C0004FFE3FE00',
    '1CEBFF00#01901ACBA041D4A0',
    '1CEBFF00#020FA74A20DD8813',
    '1CEBFF00#03E7A041FFFF7602',
    '1CEBFF00#04F0550001FA9CFA',
  ];

  it('are put together when J1939 broadcasts them, whatever the source address is', () => {
    assert.deepEqual(valuesOf(engine, 'Long/Speed', announced), ['4:625']);
    const others = announced.map((line) => line.replace('FF00#', 'FF21#'));
    const mixed = announced.flatMap((line, i) => [line, others[i]]);
    assert.deepEqual(valuesOf(engine, 'Long/Speed', mixed), ['8:625', '9:625']);
  });

  it('are put together when J1939 sends them from node to node, packets sent again included', () => {
    const frames = announced.map((line) => line.replace('FF00#', '2100#'));
    frames[0] = '1CEC2100#101C0004FFE3FE00';
    const again = [...frames.slice(0, 3), '1CEC0021#110402FFFFE3FE00', frames[2], ...frames.slice(3)];
    assert.deepEqual(valuesOf(engine, 'Long/Speed', again), ['6:625']);
  });

  it('are given up when J1939 aborts, skips or announces what can not be', () => {
    const [begin, ...rest] = announced;
    for (const frames of [
      [begin, '1CECFF00#FF0000000000E3FE', ...rest],
      [begin, rest[0], ...rest.slice(2)],
      [begin.replace('201C0004', '20FFFF04'), ...rest],
      [begin.replace('E3FE00', 'E4FE00'), ...rest],
      rest,
    ]) {
      assert.deepEqual(valuesOf(engine, 'Long/Speed', frames), []);
    }
  });

  it('decode by parameter group alone where J1939 sends one frame', () => {
    const { messages } = parseText(
      `${messageText(['Speed : 24|16@1+ (0.125,0) [0|0] "rpm" Node'], 'BO_ 2364540158 EEC1: 8 Node')}BA_ "VFrameFormat" BO_ 2364540158 3;\n`,
    ).database;
    const frames = ['0CF00400#000000881300FFFF', '18F00427#000000101400FFFF', '0CF00500#000000881300FFFF'];
    assert.deepEqual(valuesOf(messages, 'EEC1/Speed', frames), ['0:625', '1:642']);
  });
});

describe('OBD-II', () => {
  const { messages } = obdDatabase().database;

  it('reads answers of one parameter and of several, in one frame or more, of 11 and 29 bits', () => {
    assert.deepEqual(valuesOf(messages, 'OBD2/RPM', ['7E8#04410C35E4000000', '18DAF110#04410C08FF']), [
      '0:3449',
      '1:575.75',
    ]);
    const several = ['7E8#1008410C35E40D56', '7E8#21057E5555555555'];
    assert.deepEqual(valuesOf(messages, 'OBD2/VSS', several), ['1:86']);
    assert.deepEqual(valuesOf(messages, 'OBD2/ECT', several), ['1:86']);
    assert.deepEqual(valuesOf(messages, 'OBD2_7E9/RPM', ['7E8#04410C35E4000000', '7E9#04410C08FF']), [
      '1:575.75',
    ]);
  });

  it('reads the same parameters from UDS', () => {
    assert.deepEqual(valuesOf(messages, 'OBD2/RPM', ['7E8#0562F40C35E4']), ['0:3449']);
  });

  it('takes nothing from refusals, requests and other services', () => {
    for (const line of ['7E8#037F0112', '7DF#02010C', '7E8#0349020C35E4', '7E8#0562F10C35E4', '7E8#02410C']) {
      assert.deepEqual(valuesOf(messages, 'OBD2/RPM', [line]), []);
    }
  });

  it('gives what a project says that its recorded answers mean', function () {
    const cases = obdCases();
    if (!cases) {
      console.log(`      skipped: ${whyNoObdCases}`);
      this.skip();
    }
    const standard = cases.filter(({ isStandard }) => isStandard);
    const compared = compareCases(standard, messages);
    console.log(`      ${standard.length} answers, ${compared} values`);
    assert.ok(compared > 400);
  });

  it("gives what they say that the maker's own parameters mean, by a database made of their description", function () {
    const cases = obdCases();
    if (!cases) {
      console.log(`      skipped: ${whyNoObdCases}`);
      this.skip();
    }
    // One is answered by another control unit than the description says.
    const own = cases.filter(({ isStandard, frames }) => !isStandard && !frames[0].startsWith('7E8101A6144'));
    const named = own.map(({ expected, ...one }) => ({
      ...one,
      expected: expected.map(([name, value]): [string, string] => [`S_${name}`, value]),
    }));
    const compared = compareCases(named, parseText(makersDatabase()).database.messages);
    console.log(`      ${own.length} answers, ${compared} values`);
    assert.ok(compared > 1300);
  });
});

/** Returns how many values were as expected. */
function compareCases(cases: readonly ObdCase[], messages: readonly Message[]): number {
  let compared = 0;
  for (const { frames, expected } of cases) {
    const id = Number.parseInt(frames[0].slice(0, 3), 16);
    const owner = messages.find((message) => message.id === id);
    const lines = frames.map((frame) => `${frame.slice(0, 3)}#${frame.slice(3)}`);
    for (const [name, value] of expected) {
      const signal = owner?.signals.find((one) => one.name === name);
      assert.ok(owner && signal, `${name} of ${frames.join()}`);
      const [found = ''] = valuesOf(messages, `${owner.name}/${name}`, lines);
      const got = found.split(':')[1] ?? 'nothing';
      // They cut off what is above the maximum; a DBC file's maximum is a remark.
      const most = signal.maximum > 0 ? signal.maximum : Infinity;
      const label = signal.labels?.get(Number(got));
      // The project rounds scales (0.000122 V for 8 V in 16 bits) and values.
      const isSame =
        label === value ||
        Math.abs(Math.min(Number(got), most) - Number(value)) <= 1e-4 + 1e-3 * Math.abs(Number(value));
      assert.ok(isSame, `${name} of ${frames.join()}: ${got}, not ${value}`);
      compared++;
    }
  }
  return compared;
}

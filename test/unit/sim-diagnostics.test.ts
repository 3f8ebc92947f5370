import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { SlcanAdapter } from '#sim/ports/slcan.js';
import { VehicleBus } from '#sim/vehicle/ecu/bus.js';
import { kindNames, physicalKindOf } from '#sim/vehicle/kinds.js';
import { quantity as q } from '#sim/vehicle/physics/quantities.js';
import type { Firmware } from '#sim/vehicle/firmware.js';
import { bins } from '../support/chaos/process.js';
import { listen, type BusFrame } from '../support/bus-frames.js';

const startUs = 1_767_254_400_000_000;
const ENGINE = 0x7e8;

function busOf(kind: string, seed: number, firmware?: Firmware) {
  const { create, network } = physicalKindOf(kind)!;
  const vehicle = create(seed);
  return { vehicle, network, bus: new VehicleBus(vehicle, network, { seed, startUs, firmware }) };
}

interface Message {
  id: number;
  payload: number[];
  beganUs: number;
  endedUs: number;
}

/** ISO-TP as a textbook has it; each first frame must have been allowed before its next frame comes. */
function messagesOf(frames: readonly BusFrame[], answer: number, requests: readonly number[]): Message[] {
  const messages: Message[] = [];
  const open = new Map<number, { message: Message; bytes: number; number: number; isAllowed: boolean }>();
  for (const { timeUs, id, data } of frames) {
    if (id !== answer && !requests.includes(id)) continue;
    assert.equal(data.length, 8, 'frames are filled up');
    const kind = data[0] >> 4;
    if (kind === 0) {
      const payload = [...data.subarray(1, 1 + data[0])];
      messages.push({ id, payload, beganUs: timeUs, endedUs: timeUs });
    } else if (kind === 1) {
      const message = { id, payload: [...data.subarray(2)], beganUs: timeUs, endedUs: timeUs };
      open.set(id, { message, bytes: ((data[0] & 15) << 8) | data[1], number: 1, isAllowed: false });
    } else if (kind === 2) {
      const one = open.get(id)!;
      assert.ok(one.isAllowed, 'no frame before a flow control');
      assert.equal(data[0] & 15, one.number++ & 15);
      one.message.payload.push(...data.subarray(1));
      if (one.message.payload.length < one.bytes) continue;
      messages.push({ ...one.message, payload: one.message.payload.slice(0, one.bytes), endedUs: timeUs });
      open.delete(id);
    } else {
      const sender = id === answer ? requests.find((request) => open.has(request)) : answer;
      open.get(sender!)!.isAllowed = true;
    }
  }
  assert.equal(open.size, 0, 'all messages are whole');
  return messages;
}

/** The check digit of a VIN, from the table of 49 CFR 565.15. */
function checkDigit(vin: string): string {
  const groups = ['AJ', 'BKS', 'CLT', 'DMU', 'ENV', 'FW', 'GPX', 'HY', 'RZ'];
  const weights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
  const worth = (c: string): number =>
    /\d/.test(c) ? Number(c) : groups.findIndex((group) => group.includes(c)) + 1;
  const rest = vin.split('').reduce((sum, c, i) => sum + worth(c) * weights[i], 0) % 11;
  return rest === 10 ? 'X' : String(rest);
}

describe('diagnostics on a simulated bus', () => {
  for (const kind of kindNames.filter((name) => physicalKindOf(name))) {
    it(`of a ${kind} are questions and answers over ISO-TP, with the vehicle's own values`, () => {
      const { vehicle, network, bus } = busOf(kind, 5, { diagnosticsUs: 3e6 });
      const frames = listen(bus, startUs, 20e6);
      const is29 = network.messages.some(({ extended }) => extended);
      const [all, request, answer] = is29 ? [0x18db33f1, 0x18da10f1, 0x18daf110] : [0x7df, 0x7e0, ENGINE];
      const messages = messagesOf(frames, answer, [all, request]);
      const questions = messages.filter(({ id }) => id !== answer);
      const answers = messages.filter(({ id }) => id === answer);
      assert.ok(questions.length > 40, `${questions.length} questions`);
      const silent = questions.filter(({ payload }) => payload[0] === 0x3e);
      assert.equal(answers.length, questions.length - silent.length);
      for (const { payload, endedUs } of questions.filter((one) => !silent.includes(one))) {
        const reply = answers.find(({ beganUs }) => beganUs > endedUs)!;
        assert.equal(reply.payload[0], payload[0] | 0x40, 'the next answer is the one to this question');
        assert.ok(reply.beganUs - endedUs < 50_000, 'within P2');
      }
      const truth = physicalKindOf(kind)!.create(5);
      let speeds = 0;
      for (const { payload, beganUs } of answers) {
        if (payload[0] !== 0x41 || payload[1] !== 0x0d) continue;
        truth.advanceTo(beganUs - 30_000);
        assert.ok(
          Math.abs(payload[2] - truth.values[q.speed] * 3.6) < 1.2,
          `speed ${payload[2]} at ${beganUs}`,
        );
        speeds++;
      }
      assert.ok(speeds >= 5);
      const vin = Buffer.from(
        answers.find(({ payload }) => payload[0] === 0x49)!.payload.slice(3),
      ).toString();
      assert.match(vin, /^ZZ9[A-HJ-NPR-Z0-9]{14}$/);
      assert.equal(vin[8], checkDigit(vin));
      const identified = answers.find(({ payload }) => payload[0] === 0x62)!.payload;
      assert.equal(Buffer.from(identified.slice(3, 20)).toString(), vin, 'UDS names the same vehicle');
      assert.ok(vehicle.values[q.time] > 19);
    });
  }

  it('answer the same whether a tester on board asks or nobody does, and nothing else changes', () => {
    const alone = listen(busOf('combustion-car', 5).bus, startUs, 2e6);
    const asked = listen(busOf('combustion-car', 5, { diagnosticsUs: 3e6 }).bus, startUs, 2e6);
    assert.deepEqual(asked, alone, 'before the first question');
    const twice = [1, 2].map(() => listen(busOf('truck', 6, { diagnosticsUs: 1e6 }).bus, startUs, 9e6));
    assert.deepEqual(twice[0], twice[1]);
  });

  /** Sends a request from outside; flow controls as given. Returns what the control unit put on the bus. */
  function ask(request: string, flow?: string, kind = 'combustion-car'): BusFrame[] {
    const { bus } = busOf(kind, 5);
    listen(bus, startUs, 1e6);
    const [id, data] = request.split('#');
    bus.hear(parseInt(id, 16), id.length > 3, Buffer.from(data, 'hex'), 1e6);
    const heard: BusFrame[] = [];
    for (let untilUs = 1e6; untilUs < 3e6; untilUs += 1e3) {
      for (const frame of listen(bus, startUs, untilUs)) {
        if (frame.id !== ENGINE && frame.id !== 0x18daf110) continue;
        heard.push(frame);
        if (frame.data[0] >> 4 === 1 && flow !== undefined) {
          bus.hear(id.length > 3 ? 0x18da10f1 : 0x7e0, id.length > 3, Buffer.from(flow, 'hex'), untilUs);
        }
      }
    }
    return heard;
  }

  const hex = (frames: readonly BusFrame[]): string[] =>
    frames.map(({ data }) => Buffer.from(data).toString('hex').toUpperCase());

  it('are open to testers outside, whose frames cost time on the wire but are not echoed', () => {
    const [speed] = hex(ask('7DF#02010D0000000000'));
    assert.match(speed, /^03410D..AAAAAAAA$/);
    const [extended] = hex(ask('18DB33F1#02010D0000000000', undefined, 'truck'));
    assert.match(extended, /^03410D..AAAAAAAA$/);
  });

  it('send nothing behind a first frame until somebody allows it, then as many and as fast as he says', () => {
    assert.equal(hex(ask('7E0#0322F19000000000')).length, 1);
    const frames = ask('7E0#0322F19000000000', '3000140000000000'); // all, 20 ms between them
    assert.equal(frames.length, 3);
    assert.ok(frames[2].timeUs - frames[1].timeUs >= 20_000);
    assert.equal(ask('7E0#0322F19000000000', '3001000000000000').length, 2, 'a block of one frame');
    assert.equal(ask('7E0#0322F19000000000', '3200000000000000').length, 1, 'no room: given up');
  });

  const refused: [what: string, request: string, answer: string][] = [
    ['a service that it has not', '7E0#0227010000000000', '037F2711AAAAAAAA'],
    ['a subfunction that it has not', '7E0#03190FFF00000000', '037F1912AAAAAAAA'],
    ['a length that is wrong', '7E0#0222F10000000000', '037F2213AAAAAAAA'],
    ['an identifier that it has not', '7E0#0322123400000000', '037F2231AAAAAAAA'],
  ];
  for (const [what, request, answer] of refused) {
    it(`refuse ${what}, but stay silent where all were asked`, () => {
      assert.deepEqual(hex(ask(request)), [answer]);
      if (!request.startsWith('7E0#0222')) assert.deepEqual(ask(request.replace('7E0', '7DF')), []);
    });
  }

  it('keep trouble codes until somebody clears them', () => {
    const { bus } = busOf('combustion-car', 5);
    const answerTo = (request: string, atUs: number): string => {
      listen(bus, startUs, atUs);
      bus.hear(0x7e0, false, Buffer.from(request, 'hex'), atUs);
      const frames = listen(bus, startUs, atUs + 90_000);
      return hex(frames.filter(({ id }) => id === ENGINE)).join(' ');
    };
    assert.match(answerTo('0103000000000000', 1e6), /^06430201710442/);
    assert.match(answerTo('0319010800000000', 1.1e6), /^0659010D000002/);
    assert.match(answerTo('0414FFFFFF000000', 1.2e6), /^0154/);
    assert.match(answerTo('0103000000000000', 1.3e6), /^024300/);
  });

  it('reach through an SLCAN adapter, whose host sends the requests', async () => {
    const child = spawn(process.execPath, [bins.sim, 'slcan', '--kind', 'combustion-car', '--seed', '5']);
    const closed = once(child, 'close');
    child.stdin.write('S6\rO\rt7E080322F19000000000\r');
    let said = '';
    let isAllowed = false;
    for await (const text of child.stdout.setEncoding('latin1')) {
      said += text;
      if (!isAllowed && said.includes('t7E881014')) {
        isAllowed = true;
        child.stdin.write('t7E083000000000000000\r');
      }
      if (/t7E8822.{14}/.test(said)) child.stdin.end();
    }
    await closed;
    const frames = [...said.matchAll(/t7E88([0-9A-F]{16})/g)].map(([, data]) => data);
    const payload = frames.map((data, i) => data.slice(i === 0 ? 4 : 2)).join('');
    assert.match(Buffer.from(payload, 'hex').toString('latin1'), /^b\xf1\x90ZZ9[A-HJ-NPR-Z0-9]{14}/);
    assert.ok(said.includes('z\r'), 'the adapter confirms what it sends');
    assert.ok(!said.includes('t7E08'), 'and echoes nothing');
  });

  it('refuse what the adapter can not send: closed, too long, or not as many bytes as it says', () => {
    const taken: string[] = [];
    const adapter = new SlcanAdapter({
      onFrame: (id, _extended, data) => taken.push(`${id} ${data.length}`),
    });
    const take = (command: string): string => adapter.take(Buffer.from(`${command}\r`));
    assert.equal(take('t7DF20102'), '\x07');
    take('O');
    for (const bad of ['t7DF9010203040506070809', 't7DF201', 't8DF0', 'T3000000000'])
      assert.equal(take(bad), '\x07');
    assert.equal(take('t7DF20102'), 'z\r');
    assert.equal(take('T18DB33F10'), 'Z\r');
    assert.deepEqual(taken, ['2015 2', '417018865 0']);
  });
});

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Message, Signal } from '#cloud/signals/dbc/model.js';
import { parseDbc } from '#cloud/signals/dbc/parser.js';
import { SignalDecoder } from '#cloud/signals/decode/decoder.js';
import { realDatabases, whyNoRealDatabases } from '../support/dbc.js';
import { randomOf } from '../support/generate-frames.js';
import { framesOf, setBits } from '../support/reference-decoder.js';

const framesPerMessage = 8;
/** A Python that has cantools may be another one than the system's. */
const python = process.env['FLEETLOG_TEST_PYTHON'] ?? 'python3';
const random = randomOf(20_261_123);

type Values = Record<string, number | string>;

/** Random data in which the multiplexors of some signal have values at which it is there. */
function dataOf(message: Message): Uint8Array {
  const data = Uint8Array.from({ length: message.length }, () => Math.floor(256 * random()));
  const dependent = message.signals.filter(({ multiplexing }) => multiplexing);
  let signal: Signal | undefined = dependent[Math.floor(random() * dependent.length)];
  while (signal?.multiplexing) {
    const { multiplexor, ranges }: NonNullable<Signal['multiplexing']> = signal.multiplexing;
    signal = message.signals.find(({ name }) => name === multiplexor)!;
    setBits(signal, data, BigInt(ranges[Math.floor(random() * ranges.length)][0]));
  }
  return data;
}

function decodeOurs(message: Message, datas: readonly Uint8Array[]): Values[] {
  const decoder = new SignalDecoder([{ message, signals: message.signals }]);
  decoder.decode(framesOf(message, datas));
  const all: Values[] = datas.map(() => ({}));
  for (const signal of message.signals) {
    const { count, times, values } = decoder.series(signal);
    for (let i = 0; i < count; i++) all[times[i] / 1000][signal.name] = values[i];
  }
  return all;
}

describe('decoded signals and cantools', () => {
  it('agree on every value of every real database that both read', function () {
    this.timeout(180_000);
    const files = realDatabases();
    const hasCantools = spawnSync(python, ['-c', 'import cantools']).status === 0;
    if (files.length === 0 || !hasCantools) {
      console.log(`      skipped: ${files.length === 0 ? whyNoRealDatabases : `${python} has no cantools`}`);
      this.skip();
    }
    const asked = files.map((file) =>
      parseDbc(readFileSync(file)).database.messages.map((message) => ({
        message,
        datas: Array.from({ length: framesPerMessage }, () => dataOf(message)),
      })),
    );
    const input = asked.map((messages, i) =>
      JSON.stringify({
        file: files[i],
        frames: messages.map(({ message, datas }) => ({
          id: message.id,
          extended: message.isExtended,
          data: datas.map((data) => Buffer.from(data).toString('hex')),
        })),
      }),
    );
    const output = execFileSync(python, ['test/support/decode_with_cantools.py'], {
      input: `${input.join('\n')}\n`,
      maxBuffer: 1 << 28,
    });
    const answers = output.toString().trimEnd().split('\n');
    let compared = 0;
    let databases = 0;
    for (const [i, messages] of asked.entries()) {
      const answer = JSON.parse(answers[i]) as ((Values | null)[] | null)[] | null;
      if (!answer) continue;
      databases++;
      for (const [m, { message, datas }] of messages.entries()) {
        const ours = decodeOurs(message, datas);
        for (const [k, theirs] of (answer[m] ?? []).entries()) {
          if (!theirs) continue;
          assert.deepEqual(comparable(ours[k]), comparable(theirs), `${files[i]} ${message.name}`);
          compared += Object.keys(theirs).length;
        }
      }
    }
    console.log(`      ${databases} databases, ${compared} values`);
    assert.ok(databases >= 44 && compared > 50_000);
  });
});

/** Numbers that JSON has no form for as Python writes them; -0 as 0. */
const comparable = (values: Values): Values =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'number' && Number.isFinite(value)
        ? value + 0
        : String(value).toLowerCase().replace('infinity', 'inf'),
    ]),
  );

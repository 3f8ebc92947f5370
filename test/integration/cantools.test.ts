import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Message, Signal } from '#cloud/signals/dbc/model.js';
import { parseDbc } from '#cloud/signals/dbc/parser.js';
import { comparable, decodeOurs, decodeTheirs, hasCantools, whyNoCantools } from '../support/cantools.js';
import { realDatabases, whyNoRealDatabases } from '../support/dbc.js';
import { randomOf } from '../support/generate-frames.js';
import { setBits } from '../support/reference-decoder.js';

const framesPerMessage = 8;
const random = randomOf(20_261_123);

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

describe('decoded signals and cantools', () => {
  it('agree on every value of every real database that both read', function () {
    this.timeout(180_000);
    const files = realDatabases();
    if (files.length === 0 || !hasCantools()) {
      console.log(`      skipped: ${files.length === 0 ? whyNoRealDatabases : whyNoCantools}`);
      this.skip();
    }
    const asked = files.map((file) => ({
      file,
      messages: parseDbc(readFileSync(file)).database.messages.map((message) => ({
        message,
        datas: Array.from({ length: framesPerMessage }, () => dataOf(message)),
      })),
    }));
    const answers = decodeTheirs(asked);
    let compared = 0;
    let databases = 0;
    for (const [i, { file, messages }] of asked.entries()) {
      const answer = answers[i];
      if (!answer) continue;
      databases++;
      for (const [m, one] of messages.entries()) {
        const ours = decodeOurs(one);
        for (const [k, theirs] of (answer[m] ?? []).entries()) {
          if (!theirs) continue;
          assert.deepEqual(comparable(ours[k]), comparable(theirs), `${file} ${one.message.name}`);
          compared += Object.keys(theirs).length;
        }
      }
    }
    console.log(`      ${databases} databases, ${compared} values`);
    assert.ok(databases >= 44 && compared > 50_000);
  });
});

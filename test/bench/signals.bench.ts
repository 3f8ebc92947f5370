import { readFileSync } from 'node:fs';
import { decodeBatch } from '@fleetlog/shared/batch';
import { CanFrames, decodeCanIds, encodeCan } from '@fleetlog/shared/can';
import { parseDbc } from '#cloud/signals/dbc/parser.js';
import { SignalDecoder, type WantedMessage } from '#cloud/signals/decode/decoder.js';
import { seal } from '../support/batches.js';
import { messageText } from '../support/dbc.js';
import { fordSeconds } from '../support/ford-seconds.js';
import { generateSecond } from '../support/generate-frames.js';
import type { BenchRow } from './row.js';

const rounds = 40;
export const fordDatabase = '../shared/data/can-dbc/opendbc/ford_lincoln_base_pt.dbc';

/** Decoding of signals, one core, and reading of databases. Rates count values that come out. */
export function benchSignals(): BenchRow[] {
  const generated = Array.from({ length: 20 }, (_, i) => generateSecond(i + 1));
  const rows = [
    ...measure(generated, generatedDatabase(), 'generated vehicle, 4 signals of 16 bits a message'),
  ];
  const ford = fordSeconds();
  if (ford) {
    const { database } = parseDbc(readFileSync(fordDatabase));
    rows.push(...measure(ford, database.messages, 'two Ford recordings, all signals of their database'));
  }
  rows.push(parseRow());
  return rows;
}

function measure(
  batches: readonly CanFrames[],
  messages: readonly WantedMessage['message'][],
  on: string,
): BenchRow[] {
  const wanted = messages.map((message) => ({ message, signals: message.signals }));
  const decoder = new SignalDecoder(wanted);
  for (const frames of batches) decoder.decode(frames);
  let values = 0;
  for (const { signals } of wanted) for (const signal of signals) values += decoder.series(signal).count;
  const stored = batches.map((frames) => seal(encodeCan(frames), {}));
  const fromStored = decodingStored(stored, decoder);
  const one = decodingStored(stored, new SignalDecoder([busiestSignal(wanted, decoder)]));
  return [
    row('signals out of frames in memory', values, on, () => {
      decoder.clear();
      for (const frames of batches) decoder.decode(frames);
    }),
    row('signals out of stored batches', values, `${on}; envelope and decompression included`, fromStored),
    {
      name: 'one signal out of stored batches',
      value: (1000 * median(one)) / stored.length,
      unit: 'µs/batch',
      on: `${on.split(',')[0]}, the signal that is sent most; batches of a second`,
    },
  ];
}

/** Decodes as a query does: only the frames that say something of its signals, batch by batch. */
function decodingStored(stored: readonly Uint8Array[], decoder: SignalDecoder): () => void {
  const into = new CanFrames();
  const wants = (id: number): Uint8Array | undefined => decoder.wants(id);
  return () => {
    for (const bytes of stored) {
      decoder.clear();
      decoder.decode(decodeCanIds(decodeBatch(bytes), wants, into));
    }
  };
}

function busiestSignal(wanted: readonly WantedMessage[], decoder: SignalDecoder): WantedMessage {
  const each = wanted.flatMap(({ message, signals }) =>
    signals.map((signal) => ({ message, signals: [signal] })),
  );
  const countOf = ({ signals }: WantedMessage): number => decoder.series(signals[0]).count;
  return each.reduce((most, next) => (countOf(next) > countOf(most) ? next : most));
}

const generatedDatabase = (): WantedMessage['message'][] =>
  parseDbc(Buffer.from(generatedDatabaseText())).database.messages;

/** Signals for every identifier that `generateSecond` sends. */
export function generatedDatabaseText(): string {
  const places = ['7|16@0+ (0.01,-40)', '23|16@0- (1,0)', '39|16@0+ (0.125,0)', '55|16@0+ (1,0)'];
  const signals = places.map((place, i) => `S${i} : ${place} [0|0] "" X`);
  const text = Array.from({ length: 60 }, (_, i) => {
    const id = i % 10 === 9 ? (0x98fe_0000 | (i << 8)) >>> 0 : 0x60 + 23 * i;
    return messageText(signals, `BO_ ${id} M${i}: 8 X`);
  });
  return text.join('\n');
}

function parseRow(): BenchRow {
  const text = Array.from({ length: 2000 }, (_, m) =>
    messageText(
      Array.from({ length: 8 }, (__, s) => `Signal_${s} : ${8 * s}|8@1+ (0.5,-40) [0|100] "km/h" Node`),
      `BO_ ${m} Message_${m}: 8 Node`,
    ),
  );
  const bytes = Buffer.from(text.join('\n'));
  const ms = median(() => parseDbc(bytes));
  return {
    name: 'database read',
    value: ms,
    unit: 'ms',
    on: `16,000 signals, ${bytes.length} bytes; median of ${rounds}`,
  };
}

function row(name: string, values: number, on: string, work: () => void): BenchRow {
  return { name, value: (1000 * values) / median(work), unit: 'values/s', on };
}

/** ms */
function median(work: () => void): number {
  for (let round = 0; round < rounds / 2; round++) work();
  const times = Array.from({ length: rounds }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  });
  return times.sort((a, b) => a - b)[rounds >> 1];
}

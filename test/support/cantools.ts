import { execFileSync, spawnSync } from 'node:child_process';
import type { Message } from '#cloud/signals/dbc/model.js';
import { SignalDecoder } from '#cloud/signals/decode/decoder.js';
import { framesOf } from './reference-decoder.js';

/** A Python that has cantools may be another one than the system's. */
const python = process.env['FLEETLOG_TEST_PYTHON'] ?? 'python3';

export const hasCantools = (): boolean => spawnSync(python, ['-c', 'import cantools']).status === 0;
export const whyNoCantools = `${python} has no cantools`;

export type Values = Record<string, number | string>;

/** Payloads of one message of a database. */
export interface AskedMessage {
  message: Message;
  datas: readonly Uint8Array[];
}

/** What cantools makes of each payload, null where it refuses it or the message; null for a file that it refuses. */
export function decodeTheirs(
  files: readonly { file: string; messages: readonly AskedMessage[] }[],
): (((Values | null)[] | null)[] | null)[] {
  const input = files.map(({ file, messages }) =>
    JSON.stringify({
      file,
      frames: messages.map(({ message, datas }) => ({
        id: message.id,
        extended: message.isExtended,
        data: datas.map((data) => Buffer.from(data).toString('hex')),
      })),
    }),
  );
  const output = execFileSync(python, ['test/support/decode_with_cantools.py'], {
    input: `${input.join('\n')}\n`,
    maxBuffer: 1 << 30,
  });
  return output
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as ((Values | null)[] | null)[] | null);
}

/** What we make of each. */
export function decodeOurs({ message, datas }: AskedMessage): Values[] {
  const decoder = new SignalDecoder([{ message, signals: message.signals }]);
  decoder.decode(framesOf(message, datas));
  const all: Values[] = datas.map(() => ({}));
  for (const signal of message.signals) {
    const { count, times, values } = decoder.series(signal);
    for (let i = 0; i < count; i++) all[times[i] / 1000][signal.name] = values[i];
  }
  return all;
}

/** Numbers that JSON has no form for as Python writes them; -0 as 0. */
export const comparable = (values: Values): Values =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'number' && Number.isFinite(value)
        ? value + 0
        : String(value).toLowerCase().replace('infinity', 'inf'),
    ]),
  );

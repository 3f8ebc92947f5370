import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CAN_EFF_FLAG, CanFrames, FRAME_FD } from '@fleetlog/shared/can';
import type { ImportFormat } from '#cloud/import/formats.js';
import { parseDbc } from '#cloud/signals/dbc/parser.js';
import { Matcher } from '#cloud/signals/decode/match.js';
import { carrierOf, flagsOf } from '#cloud/signals/transport/carriers.js';
import { Transport } from '#cloud/signals/transport/transport.js';
import { comparable, decodeOurs, decodeTheirs, hasCantools, whyNoCantools } from '../support/cantools.js';
import { importedFrames } from '../support/imported-frames.js';
import type { PythonMessage } from '../support/python-can.js';
import { tempFolder } from '../support/temp-folder.js';

const data = '../shared/data';

/** Recordings with the database that decodes them, as the data's README pairs them. */
const pairs: readonly { logs: string; format: ImportFormat; databases: readonly string[] }[] = [
  { logs: 'ford-fusion-2017/*.candump*', format: 'candump', databases: ['opendbc/ford_lincoln_base_pt.dbc'] },
  { logs: 'bmw-i3/*.csv*', format: 'gvret', databases: ['bmw/i3_LIM_dbc1.dbc'] },
  {
    logs: 'canedge/11111111/**/*.MF4',
    format: 'mf4',
    databases: ['css/CSS-Electronics-SAE-J1939-DEMO.dbc', 'css/canmod-gps.dbc'],
  },
  { logs: 'canedge/3BA199E2/**/*.MF4', format: 'mf4', databases: ['css/canmod-gps.dbc'] },
  { logs: 'canedge/17BD1DB7/**/*.MF4', format: 'mf4', databases: ['css/tp_uds.dbc'] },
  {
    logs: 'canedge/FCBF0606/**/*.MF4',
    format: 'mf4',
    databases: ['css/tp_j1939.dbc', 'css/CSS-Electronics-SAE-J1939-DEMO.dbc'],
  },
  { logs: 'tesla-gen3-charger/*.csv', format: 'candump', databases: ['tesla3/tg3spm.dbc'] },
  { logs: 'savvycan/GVRET_Log.csv', format: 'gvret', databases: ['opendbc/tesla_powertrain.dbc'] },
];

interface Agreement {
  frames: number;
  messages: number;
  signals: number;
  values: number;
  /** Messages that cantools doesn't decode. */
  refused: Set<string>;
  differences: string[];
}

/** Some of its signals overlap, which cantools can't unpack. */
const overlapping = 'LIMMsg3B4';

/** The messages that frames are parts of, put together, by the place of their description. */
function* putTogether(frames: readonly PythonMessage[], transport: Transport, matcher: Matcher) {
  if (!transport.isNeeded) return;
  const columns = new CanFrames();
  const bus = columns.busIndex('can0');
  for (const { timeUs, type, id, extended, dlc, data } of frames) {
    if (type !== 'data' && type !== 'fd') continue;
    const bytes = Buffer.from(data, 'hex');
    const canId = extended ? (id | CAN_EFF_FLAG) >>> 0 : id;
    columns.append(timeUs, canId, type === 'fd' ? FRAME_FD : 0, dlc, bus, bytes, 0, bytes.length);
  }
  const { count, id, data, dataStart } = transport.collect(columns, 0, columns.count);
  for (let i = 0; i < count; i++) {
    const index = matcher.find(id[i]);
    if (index >= 0) {
      yield { index, data: Buffer.from(data.subarray(dataStart[i], dataStart[i + 1])).toString('hex') };
    }
  }
}

/** Each payload that a message has in the recording once: the decoder has no memory. */
async function compare(log: string, format: ImportFormat, file: string): Promise<Agreement> {
  const { database } = parseDbc(readFileSync(file));
  const { frames } = await importedFrames(log, format);
  const matcher = new Matcher(
    database.messages.map((one) => (carrierOf(one) === 'j1939' ? { ...one, format: 'j1939' } : one)),
  );
  const payloads = new Map<number, Set<string>>();
  let described = 0;
  const take = (index: number, data: string): void => {
    described++;
    const known = payloads.get(index);
    if (known) known.add(data);
    else payloads.set(index, new Set([data]));
  };
  for (const frame of frames) {
    if (frame.type !== 'data' && frame.type !== 'fd') continue;
    const index = matcher.find(frame.extended ? (frame.id | CAN_EFF_FLAG) >>> 0 : frame.id);
    if (index < 0) continue;
    const needed = flagsOf(database.messages[index]);
    if (((frame.type === 'fd' ? FRAME_FD : 0) & needed) === needed) take(index, frame.data);
  }
  for (const { index, data } of putTogether(frames, new Transport(database.messages), matcher))
    take(index, data);
  const messages = Array.from(payloads, ([index, hex]) => ({
    message: database.messages[index],
    datas: Array.from(hex, (one) => Buffer.from(one, 'hex')),
  }));
  const [answer] = decodeTheirs([{ file, messages }]);
  assert.ok(answer, file);
  const differences: string[] = [];
  const signals = new Set<string>();
  const refused = new Set<string>();
  let values = 0;
  for (const [m, one] of messages.entries()) {
    const ours = decodeOurs(one);
    for (const [k, theirs] of (answer[m] ?? []).entries()) {
      if (!theirs) {
        refused.add(one.message.name);
        continue;
      }
      const wanted = comparable(theirs);
      const own = comparable(ours[k]);
      for (const name of new Set([...Object.keys(wanted), ...Object.keys(own)])) {
        const full = `${one.message.name}/${name}`;
        signals.add(full);
        if (Object.is(wanted[name], own[name])) values++;
        else
          differences.push(
            `${full} of ${one.datas[k].toString('hex')}: ${own[name]}, cantools ${wanted[name]}`,
          );
      }
    }
  }
  return {
    frames: described,
    messages: messages.length,
    signals: signals.size,
    values,
    refused,
    differences,
  };
}

describe('recordings decoded by us and by cantools', () => {
  it('agree on every value of every pair', async function () {
    this.timeout(600_000);
    if (!existsSync(data) || !hasCantools()) {
      console.log(`      skipped: ${existsSync(data) ? whyNoCantools : `${data} isn't there`}`);
      this.skip();
    }
    await using folder = await tempFolder('agreement');
    const all: string[] = [];
    for (const { logs, format, databases } of pairs) {
      const paths = globSync(join(data, 'can-logs', logs)).sort();
      assert.ok(paths.length > 0, logs);
      for (const path of paths) {
        const log = unpacked(path, folder.path);
        for (const database of databases) {
          const found = await compare(log, format, join(data, 'can-dbc', database));
          const { frames, messages, signals, values, refused, differences } = found;
          console.log(
            `      ${path.slice(data.length + 10)} ${database}: ${frames} frames, ${messages} messages, ` +
              `${signals} signals, ${values} values equal, ${differences.length} not`,
          );
          if (refused.size > 0) console.log(`        cantools refuses ${[...refused].join(', ')}`);
          assert.ok(
            [...refused].every((name) => name === overlapping),
            path,
          );
          all.push(...differences);
        }
      }
    }
    assert.deepEqual(all.slice(0, 20), []);
  });
});

function unpacked(path: string, folder: string): string {
  if (path.includes('tesla-gen3')) return asCandump(path, folder);
  if (!path.endsWith('.xz')) return path;
  const plain = join(folder, basename(path, '.xz'));
  writeFileSync(plain, execFileSync('xz', ['-dc', path], { maxBuffer: 1 << 28 }));
  return plain;
}

/** A text of seconds, identifier, length and bytes. */
function asCandump(path: string, folder: string): string {
  const plain = join(folder, 'charging.candump');
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  const text = lines.map((line) => {
    const [seconds, id, , ...bytes] = line.trim().split(' ');
    return `(${seconds.padStart(17, '0')}) can0 ${id.slice(-3)}#${bytes.join('')}\n`;
  });
  writeFileSync(plain, text.join(''));
  return plain;
}

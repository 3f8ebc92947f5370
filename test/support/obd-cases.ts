import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { messageText } from './dbc.js';

const folder = '../shared/data/other/obdb';
const archive = `${folder}/Toyota-4Runner-test_cases-2003-2016.tar.xz`;

export const whyNoObdCases = `${archive} isn't there`;

export interface ObdCase {
  /** Service 01, which the product knows by itself; others are the maker's own. */
  isStandard: boolean;
  /** Of each frame three digits of the identifier, then its bytes. */
  frames: string[];
  /** Numbers, or labels. */
  expected: [name: string, value: string][];
}

/** Recorded answers with what must come out; undefined where they aren't here. */
export function obdCases(): ObdCase[] | undefined {
  if (!existsSync(archive)) return undefined;
  const text = execFileSync('tar', ['-xJOf', archive], { maxBuffer: 1 << 26 }).toString();
  const cases: ObdCase[] = [];
  let expected: ObdCase['expected'] = [];
  let isStandard = false;
  for (const line of text.split('\n')) {
    const [, command] = /^command_id: (.*)$/.exec(line) ?? [];
    if (command !== undefined) isStandard = /^(7E0\.)?01[0-9A-F]{2}$/.test(command);
    const [, name, value] = /^ {4}(\w+): (.*)$/.exec(line) ?? [];
    if (name !== undefined) expected.push([name, unquoted(value)]);
    const [, response] = /^ {2}response: (.*)$/.exec(line) ?? [];
    const [, frame] = /^ {4}([0-9A-F]+)$/.exec(line) ?? [];
    if (line.startsWith('- expected_values:')) expected = [];
    if (response !== undefined) {
      cases.push({ isStandard, frames: response.startsWith('|') ? [] : [unquoted(response)], expected });
    } else if (frame !== undefined) cases.at(-1)!.frames.push(frame);
  }
  return cases;
}

const unquoted = (text: string): string => text.replaceAll(/^['"]|['"]$/g, '');

interface Described {
  hdr: string;
  rax?: string;
  /** Extended addressing. */
  eax?: string;
  cmd: Record<string, string>;
  signals: {
    id: string;
    fmt: {
      bix?: number;
      len: number;
      mul?: number;
      div?: number;
      add?: number;
      sign?: boolean;
      max?: number;
      map?: Record<string, { value: string }>;
    };
  }[];
}

/** The maker's own parameters that the cases are of, as a DBC file: a message for each control unit that answers. */
export function makersDatabase(): string {
  const { commands } = JSON.parse(readFileSync(`${folder}/signalsets/v3/default.json`, 'utf8')) as {
    commands: Described[];
  };
  const signals = new Map<number, string[]>();
  let rest = 'BA_DEF_ BO_ "IsoTpAddressing" ENUM "","normal","extended","mixed";\n';
  for (const { hdr, rax, eax, cmd, signals: described } of commands) {
    const id = rax === undefined ? Number.parseInt(hdr, 16) + 8 : Number.parseInt(rax, 16);
    let own = signals.get(id);
    if (!own) {
      signals.set(id, (own = ['Answer M : 7|16@0+ (1,0) [0|0] "" Node']));
      rest += `BA_ "IsoTpAddressing" BO_ ${id} "${eax === undefined ? 'normal' : 'extended'}";\n`;
    }
    const [[service, parameter]] = Object.entries(cmd);
    const answer = Number.parseInt(service + parameter, 16) + 0x4000;
    for (const { id: name, fmt } of described) {
      const { bix = 0, len, mul = 1, div = 1, add = 0, sign = false, max = 0, map } = fmt;
      const bit = 16 + bix;
      const start = (bit & ~7) + 7 - (bit & 7);
      own.push(
        `S_${name} m${answer} : ${start}|${len}@0${sign ? '-' : '+'} (${mul / div},${add}) [0|${max}] "" Node`,
      );
      const labels = Object.entries(map ?? {}).map(([raw, { value }]) => `${raw} "${value}"`);
      if (labels.length > 0) rest += `VAL_ ${id} S_${name} ${labels.join(' ')} ;\n`;
    }
  }
  const messages = Array.from(signals, ([id, own]) => messageText(own, `BO_ ${id} M${id}: 64 Node`));
  return messages.join('\n') + rest;
}

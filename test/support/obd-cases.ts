import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const archive = '../shared/data/other/obdb/Toyota-4Runner-test_cases-2003-2016.tar.xz';

export const whyNoObdCases = `${archive} isn't there`;

export interface ObdCase {
  /** Three digits of the identifier, then the frame's bytes. */
  response: string;
  /** Numbers, or labels. */
  expected: [name: string, value: string][];
}

/** Recorded answers to service 01 with what must come out; undefined where they aren't here. */
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
    if (line.startsWith('- expected_values:')) expected = [];
    if (response !== undefined && isStandard) cases.push({ response: unquoted(response), expected });
  }
  return cases;
}

const unquoted = (text: string): string => text.replaceAll(/^['"]|['"]$/g, '');

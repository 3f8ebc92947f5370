import assert from 'node:assert/strict';
import type { Cloud } from '../chaos/cloud.js';
import type { Expectation } from '../chaos/check.js';

export interface LossAccount {
  /** Records of the input that the log gives back. */
  held: number;
  /** Records of gap records, by cause; a record of an unknown number counts as NaN. */
  explained: number;
  /** Records that are neither. */
  unexplained: number;
  causes: string[];
}

interface GapRow {
  state: string;
  cause?: string;
  records?: number;
}

/** What became of a stream's records: each must come out as it went in, once, in order, or be in a gap record. */
export async function accountOf(cloud: Cloud, expectation: Expectation): Promise<LossAccount> {
  const output = (await cloud.exportStream(expectation)).toString().split('\n').filter(Boolean);
  const input = expectation.input.toString().split('\n').filter(Boolean);
  let at = 0;
  for (const line of output) {
    while (at < input.length && input[at] !== line) at++;
    assert.ok(at < input.length, `${line} came out and wasn't put in, or came twice`);
    at++;
  }
  const { gateway, stream } = expectation;
  const said = await cloud.fleetlog('gaps', '--gateway', gateway, '--stream', stream, '--json');
  const { gaps } = JSON.parse(said.stdout.toString()) as { gaps: GapRow[] };
  const causes = gaps.map(({ cause, state }) => cause ?? state);
  const explained = gaps.reduce((sum, row) => sum + recordsOf(row), 0);
  return { held: output.length, explained, unexplained: input.length - output.length - explained, causes };
}

const recordsOf = ({ records = 0 }: GapRow): number => (records < 0 ? Number.NaN : records);

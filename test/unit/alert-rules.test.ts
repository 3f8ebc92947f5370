import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { loadRules, type Rule } from '#cloud/alerts/rules.js';
import { RuleState } from '#cloud/alerts/rule-state.js';
import { tempFolder } from '../support/temp-folder.js';

const second = 1_000_000;

/** Second and state of each change, of one value a second. */
function changes(condition: Rule['condition'], values: readonly (number | undefined)[]): string[] {
  const state = new RuleState(condition);
  return values.flatMap((value, i) => {
    const passed = state.passed(i * second);
    const said = value === undefined ? undefined : state.value(i * second, value);
    return [passed, said].flatMap((change) => (change ? [`${change.timeUs / second} ${change.state}`] : []));
  });
}

const bound = { kind: 'value', side: 1, bound: 100, clear: 100, forUs: 0 } as const;

describe('rules of alerts', () => {
  it('above a bound: raised once, and cleared once at the bound', () => {
    assert.deepEqual(changes(bound, [99, 100, 101, 120, 100, 99, 101]), [
      '2 raised',
      '4 cleared',
      '6 raised',
    ]);
  });

  it('hysteresis: what swings around the bound is one alert', () => {
    const values = [99, 101, 99, 101, 96, 101, 95, 99, 101];
    assert.deepEqual(changes({ ...bound, clear: 95 }, values), ['1 raised', '6 cleared', '8 raised']);
  });

  it('below a bound, mirrored', () => {
    const below = { kind: 'value', side: -1, bound: 10, clear: 12, forUs: 0 } as const;
    assert.deepEqual(changes(below, [10, 9, 11, 12, 9]), ['1 raised', '3 cleared', '4 raised']);
  });

  it('a condition that must hold for a time begins anew where it was interrupted', () => {
    const values = [101, 101, 99, 101, 101, 101, 101];
    assert.deepEqual(changes({ ...bound, forUs: 2 * second }, values), ['5 raised']);
  });

  it('a rate of change, in 1/s', () => {
    const rate = { kind: 'rate', side: -1, bound: -5, clear: 0, forUs: 0 } as const;
    assert.deepEqual(changes(rate, [50, 48, 40, 39, 39, 33]), ['2 raised', '4 cleared', '5 raised']);
  });

  it('a signal that is missing while its stream goes on, until it is said again', () => {
    const missing = { kind: 'missing', forUs: 3 * second } as const;
    const none = undefined;
    assert.deepEqual(changes(missing, [1, none, none, none, none, 1, none]), ['3 raised', '5 cleared']);
    assert.deepEqual(changes(missing, [none, none, none, none]), ['3 raised'], 'never said at all');
  });

  it('refuses rules that make no sense, by name', async () => {
    await using folder = await tempFolder('rules');
    const path = join(folder.path, 'rules.yaml');
    for (const [rule, message] of [
      ['{ name: a, signal: S }', /rule a needs one of above, below/],
      ['{ name: a, signal: S, above: 1, below: 2 }', /rule a needs one of/],
      ['{ name: a, signal: S, above: 1, missing: 1s }', /rule a needs one of/],
      ['{ name: a, signal: S, above: 10, clear: 11 }', /must be below 10/],
      ['{ name: A B, signal: S, above: 10 }', /rules\.0\.name/],
      ['{ name: a, signal: S, over: 10 }', /unknown key "rules\.0\.over"/],
      ['{ name: a, signal: S, missing: 5 }', /duration such as/],
      ['{ name: a, above: 5 }', /needs a "signal"/],
      ['{ name: a, signal: S, inside: { center: [48, 11], radius: 5 } }', /leave out "signal"/],
      ['{ name: a, inside: { center: [48, 11] } }', /needs a center and a radius, or a polygon/],
      ['{ name: a, inside: { center: [98, 11], radius: 5 } }', /rules\.0\.inside\.center\.0/],
      ['{ name: a, inside: { polygon: [[1, 2], [3, 4]] } }', /rules\.0\.inside\.polygon/],
      ['{ name: a, outside: { center: [48, 11], radius: 5 }, clear: -1 }', /metres beyond the fence/],
    ] as const) {
      writeFileSync(path, `rules:\n  - ${rule}\n`);
      assert.throws(
        () => loadRules(path),
        (error) => isFleetlogError(error, 'FLEETLOG_CONFIG') && message.test(error.message),
        rule,
      );
    }
  });
});

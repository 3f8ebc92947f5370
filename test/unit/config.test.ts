import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from '@fleetlog/shared/schema';
import { byteCount, Bytes, checkConfig, Duration, durationMs, readYaml } from '@fleetlog/shared/config';
import { tempFolder } from '../support/temp-folder.js';

const closed = { additionalProperties: false };
const schema = Type.Object(
  {
    name: Type.String({ minLength: 1 }),
    port: Type.Integer({ minimum: 1, maximum: 65_535, default: 1883 }),
    linger: Duration('how long', '500ms'),
    size: Bytes('how large', '64MiB'),
    level: Type.Union([Type.Literal('low'), Type.Literal('high')], { default: 'low' }),
    pace: Type.Optional(
      Type.Union([Type.Literal('max'), Type.Number({ exclusiveMinimum: 0 })], { unit: 'factor, or max' }),
    ),
    any: Type.Optional(Type.Union([Type.Object({ a: Type.Integer() }), Type.Integer()])),
    window: Type.Object({ bytes: Bytes('how many', '4MiB') }, { ...closed, default: {} }),
    streams: Type.Record(
      Type.String({ pattern: '^[a-z0-9]+$' }),
      Type.Union([
        Type.Object(
          { source: Type.Literal('file'), path: Type.String(), linger: Duration('how long', '1s') },
          closed,
        ),
        Type.Object({ source: Type.Literal('serial'), baud: Type.Integer({ default: 9600 }) }, closed),
      ]),
      { default: {} },
    ),
  },
  closed,
);
const check = (value: unknown): unknown => checkConfig(schema, value, 'some.yaml');
const complaintOf = (value: unknown): string => {
  let message = 'none';
  assert.throws(
    () => check(value),
    (error: Error & { code?: string }) => {
      message = error.message;
      return error.code === 'FLEETLOG_CONFIG';
    },
  );
  return message;
};

describe('checkConfig', () => {
  it('fills in what is absent, at every depth, and leaves what it was given alone', () => {
    const given = Object.freeze({
      name: 'a',
      streams: Object.freeze({ gps: Object.freeze({ source: 'serial' }) }),
    });
    assert.deepEqual(check(given), {
      name: 'a',
      port: 1883,
      linger: '500ms',
      size: '64MiB',
      level: 'low',
      window: { bytes: '4MiB' },
      streams: { gps: { source: 'serial', baud: 9600 } },
    });
  });

  const complaints: [unknown, string][] = [
    [null, 'missing key "name"'],
    [{}, 'missing key "name"'],
    [{ name: 'a', prot: 1 }, 'unknown key "prot"'],
    [{ name: 'a', prot: 1, x: 2 }, 'unknown key "prot"; unknown key "x"'],
    [{ name: 'a', window: { byte: 1 } }, 'unknown key "window.byte"'],
    [{ name: 'a', port: 0 }, '"port" must be >= 1'],
    [{ name: 'a', port: 65_536 }, '"port" must be <= 65535'],
    [{ name: 'a', port: '1883' }, '"port" must be integer'],
    [{ name: 'a', linger: '5' }, '"linger" must be a duration such as 250ms, 5s, 2h'],
    [{ name: 'a', linger: 5 }, '"linger" must be a duration such as 250ms, 5s, 2h'],
    [{ name: 'a', linger: '5 parsecs' }, '"linger" must be a duration such as 250ms, 5s, 2h'],
    [{ name: 'a', size: '64Mib' }, '"size" must be a size such as 512KiB, 64MiB, 10GB'],
    [{ name: 'a', window: { bytes: '1' } }, '"window.bytes" must be a size such as 512KiB, 64MiB, 10GB'],
    [{ name: 'a', level: 'middle' }, '"level" must be one of low, high'],
    [{ name: 'a', pace: 0 }, '"pace" must be a factor, or max'],
    [{ name: 'a', streams: [] }, '"streams" must be object'],
    [{ name: 'a', streams: null }, '"streams" must be object'],
    [{ name: 'a', streams: { c: null } }, '"streams.c.source" must be one of file, serial'],
    [{ name: 'a', any: true }, '"any" must match a schema in anyOf'],
    [{ name: 'a', any: {} }, '"any" must match a schema in anyOf'],
    [{ name: 'a', streams: { c: 1 } }, '"streams.c.source" must be one of file, serial'],
    [{ name: 'a', streams: { c: { source: 'can' } } }, '"streams.c.source" must be one of file, serial'],
    [{ name: 'a', streams: { c: { path: 'x' } } }, '"streams.c.source" must be one of file, serial'],
    [{ name: 'a', streams: { c: { source: 'file' } } }, 'missing key "streams.c.path"'],
    [{ name: 'a', streams: { c: { source: 'serial', path: 'x' } } }, 'unknown key "streams.c.path"'],
    [
      { name: 'a', streams: { c: { source: 'file', path: 'x', linger: '1' } } },
      '"streams.c.linger" must be a duration such as 250ms, 5s, 2h',
    ],
    [{ name: 'a', streams: { 'C/0': { source: 'serial' } } }, 'unknown key "streams.C/0"'],
    [{ name: '', port: 0 }, '"name" must not have fewer than 1 characters; "port" must be >= 1'],
    ['text', '"the whole" must be object'],
    [[1], '"the whole" must be object'],
  ];
  for (const [value, complaint] of complaints) {
    it(`${JSON.stringify(value)}: ${complaint}`, () => {
      assert.equal(complaintOf(value), `some.yaml: ${complaint}.`);
    });
  }

  it('many mistakes make one sentence of bounded length', () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`c${i}`, { source: 'file' }]));
    assert.equal(complaintOf({ name: 'a', streams: many }).split(';').length, 8);
  });

  it('a key named __proto__ is an unknown key or nothing, never a prototype', () => {
    const value = JSON.parse('{"name": "a", "__proto__": {"port": 1}}') as unknown;
    let result: unknown;
    try {
      result = check(value);
    } catch {
      return;
    }
    assert.equal((result as { port: number }).port, 1883);
    assert.equal(({} as { port?: number }).port, undefined);
  });
});

describe('readYaml', () => {
  it('reads values; a file that is absent, a folder or no YAML is a sentence', async () => {
    await using folder = await tempFolder('yaml');
    const path = join(folder.path, 'some.yaml');
    await writeFile(path, 'a: 1\nb: [x, 2s]\n');
    assert.deepEqual(readYaml(path), { a: 1, b: ['x', '2s'] });
    await writeFile(path, '');
    assert.equal(readYaml(path), null);
    const refused = (message: RegExp) => ({ code: 'FLEETLOG_CONFIG', message });
    assert.throws(() => readYaml(join(folder.path, 'other.yaml')), refused(/other\.yaml doesn't exist\.$/));
    assert.throws(() => readYaml(folder.path), refused(/can't be read \(EISDIR\)\.$/));
    await writeFile(path, 'a: 1\nb: [x\n');
    assert.throws(() => readYaml(path), refused(/some\.yaml isn't YAML: .*line/));
    await writeFile(path, 'a: 1\na: 2\n');
    assert.throws(() => readYaml(path), refused(/unique/));
  });
});

describe('quantities', () => {
  it('durations', () => {
    const cases: [string, number][] = [
      ['250ms', 250],
      ['5s', 5000],
      ['1.5 s', 1500],
      ['2min', 120_000],
      ['2h', 7_200_000],
      ['30d', 2_592_000_000],
      ['500us', 0.5],
      ['0s', 0],
    ];
    for (const [text, ms] of cases) assert.equal(durationMs(text), ms, text);
  });

  it('sizes, decimal and binary', () => {
    const cases: [string, number][] = [
      ['0B', 0],
      ['512KiB', 524_288],
      ['64MiB', 67_108_864],
      ['10GB', 10_000_000_000],
      ['1.5kB', 1500],
      ['1 TiB', 2 ** 40],
      ['2TB', 2e12],
      ['1.0001B', 1],
    ];
    for (const [text, bytes] of cases) assert.equal(byteCount(text), bytes, text);
  });

  it('what the schema refuses is refused by the reader too', () => {
    for (const text of [
      '',
      '5',
      's',
      '-5s',
      '5 s s',
      '5S',
      '5m',
      '1e3s',
      '.5s',
      '5.s',
      ' 5s',
      '5s ',
      '5constructor',
    ]) {
      assert.throws(() => durationMs(text), RangeError, text);
      assert.match(complaintOf({ name: 'a', linger: text }), /must be a duration/, text);
    }
    for (const text of ['5KB', '5kb', '5MB/s', '5mib', '5 B B', '5toString']) {
      assert.throws(() => byteCount(text), RangeError, text);
      assert.match(complaintOf({ name: 'a', size: text }), /must be a size/, text);
    }
  });
});

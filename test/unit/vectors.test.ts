import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BatchHeader } from '@fleetlog/shared/batch';
import type { ErrorCode } from '@fleetlog/shared/errors';
import { assertRefused } from '../support/batches.js';
import { contentOf } from '../vectors/content.js';
import { makeVectors } from '../vectors/vectors.js';

const folder = 'test/vectors';
type Expected = { header: BatchHeader; records: unknown; error?: undefined } | { error: ErrorCode };
const filesOf = (ending: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .map((name) => name.slice(0, -ending.length))
    .sort();
const names = filesOf('.json');
const expectedOf = (name: string): Expected =>
  JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Expected;
/** As JSON has it. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('golden vectors', () => {
  it('each has its bytes and its content, and today’s encoders know them all', () => {
    assert.deepEqual(filesOf('.cbor'), names);
    assert.deepEqual(
      makeVectors()
        .map(({ name }) => name)
        .sort(),
      names,
    );
  });

  it('they cover every codec, and every way in which a batch is refused', () => {
    const codecs = new Set<string>();
    const errors = new Set<string>();
    for (const expected of names.map(expectedOf)) {
      if (expected.error === undefined) codecs.add(expected.header.codec);
      else errors.add(expected.error);
    }
    assert.deepEqual([...codecs].sort(), ['can-1', 'events-1', 'gap-1', 'lines-1', 'samples-1']);
    assert.deepEqual(
      [...errors].sort(),
      ['CHECKSUM', 'CODEC', 'LIMIT', 'MALFORMED', 'VERSION'].map((code) => `FLEETLOG_BATCH_${code}`),
    );
  });

  for (const name of names) {
    const expected = expectedOf(name);
    const bytes = readFileSync(join(folder, `${name}.cbor`));
    if (expected.error === undefined) {
      it(`${name} reads as it always did`, () => {
        const { header, records } = contentOf(bytes);
        assert.deepEqual(plain(header), expected.header);
        assert.deepEqual(plain(records), expected.records);
      });
    } else {
      it(`${name} is refused with ${expected.error}`, () =>
        assertRefused(() => contentOf(bytes), expected.error));
    }
  }

  it('what today’s encoders make has the same content, in bytes that may differ', () => {
    for (const { name, bytes, error } of makeVectors()) {
      const expected = expectedOf(name);
      assert.equal(expected.error, error, name);
      if (expected.error !== undefined) continue;
      const { header, records } = contentOf(bytes);
      assert.deepEqual(plain({ ...header, rawBytes: 0 }), { ...expected.header, rawBytes: 0 }, name);
      assert.deepEqual(plain(records), expected.records, name);
    }
  });

  it('a reader in another language reads them all', function () {
    if (spawnSync('python3', ['-c', 'import cbor2, zstandard']).status !== 0) {
      console.log('      skipped: needs python3 with cbor2 and zstandard (pip install cbor2 zstandard)');
      this.skip();
    }
    const output = execFileSync('python3', [join(folder, 'read_vectors.py')], { encoding: 'utf8' });
    assert.match(output, new RegExp(`^${names.length} vectors read as expected\n$`));
  });
});

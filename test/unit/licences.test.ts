import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const allowed = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'PSF-2.0',
  'Unlicense',
]);

/** SPDX expressions as they stand in lock files: alternatives with OR, all with AND. */
function isAllowed(expression: string): boolean {
  const text = expression.replace(/^\((.*)\)$/, '$1');
  return text.split(' OR ').some((way) => way.split(' AND ').every((licence) => allowed.has(licence)));
}

describe('licences', () => {
  it('every package in the lock file has a licence that goes with Apache-2.0', () => {
    const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
      packages: Record<string, { license?: string; link?: boolean }>;
    };
    const others = Object.entries(lock.packages)
      .filter(([path, { link }]) => path.includes('node_modules/') && !link)
      .filter(([, { license }]) => !isAllowed(license ?? 'none'))
      .map(([path, { license }]) => `${path}: ${license ?? 'none'}`);
    assert.deepEqual(others, []);
  });

  it('the lock file names no registry, so that any mirror serves', () => {
    assert.doesNotMatch(readFileSync('package-lock.json', 'utf8'), /"resolved": "https?:/);
  });
});

import assert from 'node:assert/strict';
import { checkCborShape } from '@fleetlog/shared/batch';
import { cbor } from '../support/batches.js';

const check = (hex: string, options = { depthMax: 4, itemsMax: 64 }): number =>
  checkCborShape(Buffer.from(hex.replaceAll(' ', ''), 'hex'), options);

describe('checkCborShape', () => {
  it('walks what Fleetlog writes to its end', () => {
    const value = {
      a: [1, -1, 2n ** 40n, 1.5, true, false, null],
      b: 'text',
      c: Buffer.alloc(300),
      d: { e: {} },
    };
    const bytes = cbor(value);
    assert.equal(checkCborShape(bytes, { depthMax: 4, itemsMax: 64 }), bytes.length);
  });

  it('stops behind the first item', () => {
    assert.equal(check('01 02'), 1);
    assert.equal(check('82 01 02 ff'), 3);
    assert.equal(check('83 f9 4500 fa 40a00000 fb 3ff0000000000000'), 18); // floats of every width
  });

  const refused: Record<string, string> = {
    nothing: '',
    'a bignum (tag 2)': 'c2 48 0102030405060708',
    'a negative bignum (tag 3)': 'c3 41 01',
    'a regular expression (tag 27)': 'd8 1b 82 66 526567457870 61 61',
    'a shareable value (tag 28)': 'd8 1c 80',
    'a reference (tag 29)': 'd8 1d 00',
    'a typed array (tag 64)': 'd8 40 41 00',
    'a record definition (tag 105)': 'd8 69 82 00 80',
    'a tag of 8 bytes': 'db ffffffffffffffff 00',
    'an indefinite array': '9f ff',
    'an indefinite map': 'bf ff',
    'an indefinite byte string': '5f 41 00 ff',
    'an indefinite text': '7f 61 61 ff',
    'a lone break': 'ff',
    undefined: 'f7',
    'a simple value': 'e0',
    'a simple value of two bytes': 'f8 20',
    'an argument cut short': '19 01',
    'a float cut short': 'fb 0000',
    'a reserved argument': '1c',
    'a byte string longer than the input': '5b ffffffffffffffff',
    'a text longer than the input': '7a 7fffffff 61',
    'an array of 2^64 - 1 items': '9b ffffffffffffffff',
    'a map of 2^32 - 1 pairs': 'ba ffffffff',
    'an array cut short': '82 01',
    'a map without its last value': 'a1 01',
    'nesting over the limit': '81 81 81 81 81 00',
    'more items than allowed': `98 40 ${'00'.repeat(64)}`,
  };
  for (const [what, hex] of Object.entries(refused)) {
    it(`refuses ${what}`, () => assert.equal(check(hex), -1));
  }

  it('takes just what the limits allow', () => {
    assert.equal(check('81 81 81 81 00'), 5);
    assert.equal(check(`98 3f ${'00'.repeat(63)}`), 65);
  });

  it('a megabyte of nesting costs no stack', () => {
    const deep = Buffer.alloc(1 << 20, 0x81);
    assert.equal(checkCborShape(deep, { depthMax: 4, itemsMax: 1e9 }), -1);
  });
});

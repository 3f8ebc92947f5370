import { Prng } from '../../prng.js';

/** ISO 3779: neither I nor O nor Q. */
const letters = 'ABCDEFGHJKLMNPRSTUVWXYZ0123456789';
/** Of each letter from A on, for the check digit (49 CFR 565). */
const worth = '12345678012345070923456789';
const weights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
/** No manufacturer has these: ZZ9 is of makers of fewer than 1,000 vehicles, without a number. */
const MAKER = 'ZZ9';
const CHECK_DIGIT = 8;

/** A vehicle identification number by the seed, with a right check digit. */
export function vinOf(seed: number): string {
  const prng = new Prng(seed, 52);
  const body = Array.from({ length: 14 }, () => letters[prng.below(letters.length)]);
  const vin = MAKER.split('').concat(body);
  const sum = vin.reduce((total, letter, i) => total + weights[i] * worthOf(letter), 0);
  vin[CHECK_DIGIT] = sum % 11 === 10 ? 'X' : String(sum % 11);
  return vin.join('');
}

const worthOf = (letter: string): number =>
  letter >= 'A' ? Number(worth[letter.charCodeAt(0) - 65]) : Number(letter);

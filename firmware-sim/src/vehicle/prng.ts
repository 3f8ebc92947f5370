/**
 * Small pseudo-random generator (sfc32, Chris Doty-Humphrey, PractRand): the same seed gives the same vehicle on every
 * machine, which `Math.random` can't promise. Not for secrets.
 */
export class Prng {
  private a = 0x9e3779b9 | 0;
  private b = 0x243f6a88 | 0;
  private c: number;
  private counter = 1;

  /** Different `purpose`s of one seed give independent sequences. */
  constructor(seed: number, purpose = 0) {
    this.c = seed | 0;
    this.b ^= Math.imul(purpose + 1, 0x85ebca6b) ^ Math.floor(seed / 2 ** 32);
    for (let i = 0; i < 12; i++) this.bits();
  }

  /** 32 random bits as a signed integer. */
  bits(): number {
    const result = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + result;
    this.c |= 0;
    return result;
  }

  /** In [0, 1). */
  unit(): number {
    return (this.bits() >>> 0) / 2 ** 32;
  }

  /** In [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.unit();
  }

  /** Integer in [0, count). */
  below(count: number): number {
    return Math.floor(this.unit() * count);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  /** Mean 0, standard deviation about 1, within ±3.5 (sum of four uniforms). */
  gauss(): number {
    return (this.unit() + this.unit() + this.unit() + this.unit() - 2) * 1.7320508;
  }
}

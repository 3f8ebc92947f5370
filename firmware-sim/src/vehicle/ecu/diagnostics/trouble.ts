import { quantity as q } from '../../physics/quantities.js';
import { Prng } from '../../prng.js';

/** Bits of ISO 14229-1's status of a trouble code. */
export const status = { testFailed: 0x01, pending: 0x04, confirmed: 0x08 } as const;
/** What this control unit keeps of it. */
export const STATUS_MASK = status.testFailed | status.pending | status.confirmed;

export interface TroubleCode {
  /** Two bytes as in SAE J2012: `P0217` is 0x0217, `U0073` 0xC073; a third one says how it failed. */
  code: number;
  failure: number;
  status: number;
}

interface Monitor {
  code: number;
  fails: (values: Float64Array) => boolean;
}

/** What control units watch: codes of SAE J2012. */
const monitors: readonly Monitor[] = [
  { code: 0x0217, fails: (v) => v[q.coolantTemperature] > 115 }, // engine overheats
  { code: 0x0a80, fails: (v) => v[q.cellVoltageMax] - v[q.cellVoltageMin] > 0.12 }, // battery to be replaced
  { code: 0x0562, fails: (v) => v[q.lowVoltage] > 0 && v[q.lowVoltage] < 11 }, // system voltage low
];

/** Codes that a vehicle may have had for long; it drives nevertheless. */
const chronic = { engine: [0x0420, 0x0171, 0x0442], battery: [0x0aa6, 0x0c47] };
const CHRONIC_SHARE = 0.4;

/** The trouble codes of a vehicle: what it has had for long, by its seed, and what its control units notice. */
export class TroubleMemory {
  private readonly codes = new Map<number, TroubleCode>();

  constructor(
    seed: number,
    private readonly values: Float64Array,
  ) {
    const prng = new Prng(seed, 51);
    const candidates = values[q.fuelLevel] > 0 ? chronic.engine : chronic.battery;
    for (const code of candidates) if (prng.chance(CHRONIC_SHARE)) this.store(code, status.confirmed);
  }

  /** Looks at the vehicle, and gives the codes that have any of these bits of status. */
  withStatus(mask: number): TroubleCode[] {
    for (const { code, fails } of monitors) {
      if (fails(this.values)) this.store(code, STATUS_MASK);
      else if (this.codes.has(code)) this.store(code, status.confirmed);
    }
    return [...this.codes.values()].filter((one) => (one.status & mask) !== 0);
  }

  store(code: number, bits: number): void {
    this.codes.set(code, { code, failure: 0, status: bits });
  }

  clear(): void {
    this.codes.clear();
  }
}

import { quantity, type Quantity } from '../../physics/quantities.js';

/** A parameter of OBD-II service 01 (SAE J1979): raw = value · gain + offset, in whole bytes. */
interface Parameter {
  pid: number;
  bytes: number;
  from: Quantity;
  gain: number;
  offset?: number;
  /** Of vehicles that burn fuel, or that have a traction battery; all where absent. */
  of?: 'engine' | 'battery';
}

const MS_TO_KMH = 3.6;

const parameters: readonly Parameter[] = [
  { pid: 0x04, bytes: 1, from: 'engineLoad', gain: 2.55, of: 'engine' },
  { pid: 0x05, bytes: 1, from: 'coolantTemperature', gain: 1, offset: 40, of: 'engine' },
  { pid: 0x0c, bytes: 2, from: 'engineSpeed', gain: 4, of: 'engine' },
  { pid: 0x0d, bytes: 1, from: 'speed', gain: MS_TO_KMH },
  { pid: 0x1f, bytes: 2, from: 'time', gain: 1 },
  { pid: 0x2f, bytes: 1, from: 'fuelLevel', gain: 2.55, of: 'engine' },
  { pid: 0x42, bytes: 2, from: 'lowVoltage', gain: 1000 },
  { pid: 0x46, bytes: 1, from: 'ambientTemperature', gain: 1, offset: 40 },
  { pid: 0x49, bytes: 1, from: 'pedal', gain: 2.55 },
  { pid: 0x5b, bytes: 1, from: 'batteryCharge', gain: 2.55, of: 'battery' },
  { pid: 0x5c, bytes: 1, from: 'oilTemperature', gain: 1, offset: 40, of: 'engine' },
  { pid: 0x5e, bytes: 2, from: 'fuelRate', gain: 20, of: 'engine' },
  { pid: 0xa6, bytes: 4, from: 'odometer', gain: 10 },
];

/** The parameters of service 01 that a vehicle has, from what is true of it now. */
export class ObdParameters {
  private readonly own: ReadonlyMap<number, Parameter>;

  constructor(private readonly values: Float64Array) {
    const kind = values[quantity.fuelLevel] > 0 ? 'engine' : 'battery';
    this.own = new Map(
      parameters.filter(({ of }) => of === undefined || of === kind).map((one) => [one.pid, one]),
    );
  }

  /** Data of a parameter, the lists of what is there among them; undefined where it hasn't it. */
  data(pid: number): Uint8Array | undefined {
    if (pid % 0x20 === 0) return this.listFrom(pid);
    const parameter = this.own.get(pid);
    if (!parameter) return undefined;
    const { bytes, from, gain, offset = 0 } = parameter;
    const raw = Math.round(this.values[quantity[from]] * gain + offset);
    let rest = Math.max(0, Math.min(2 ** (8 * bytes) - 1, raw));
    const data = new Uint8Array(bytes);
    for (let i = bytes - 1; i >= 0; i--, rest = Math.floor(rest / 256)) data[i] = rest % 256;
    return data;
  }

  /** A bit for each of the 32 parameters behind `first`; the last one says whether there are more beyond. */
  private listFrom(first: number): Uint8Array | undefined {
    if (first > 0 && ![...this.own.keys()].some((pid) => pid > first)) return undefined;
    const data = new Uint8Array(4);
    for (let i = 0; i < 32; i++) {
      const pid = first + 1 + i;
      const has = this.own.has(pid) || (i === 31 && this.listFrom(pid) !== undefined);
      if (has) data[i >> 3] |= 0x80 >> (i & 7);
    }
    return data;
  }
}

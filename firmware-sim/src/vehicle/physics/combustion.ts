import { leakyCooling, type FailingPart } from './failing.js';
import { quantity as q } from './quantities.js';
import type { Powertrain, PowertrainEnergy, PowertrainStart } from './powertrain.js';

export interface CombustionParameters {
  /** Engine revolutions per revolution of the last shaft, by gear from 1. */
  gears: readonly number[];
  finalDrive: number;
  driveEfficiency: number;
  torqueMaxNm: number;
  powerMaxW: number;
  idlePerMinute: number;
  /** Shifts up above, down below. */
  shiftUpPerMinute: number;
  shiftDownPerMinute: number;
  /** Torque that the engine needs to turn itself, at standstill and per 1/min. */
  frictionNm: number;
  frictionNmPerMinute: number;
  /** Work per energy of the fuel, before friction. */
  indicatedEfficiency: number;
  tankL: number;
  fuelJPerL: number;
  shiftS: number;
  /** Heat that coolant, oil and block take up per degree. */
  heatCapacityJPerK: number;
  radiatorWPerK: number;
}

const RADIANS_PER_S = Math.PI / 30;
/** Of the heat that isn't friction, what goes into the coolant; the rest leaves with the exhaust. */
const COOLANT_SHARE = 0.42;
const THERMOSTAT_OPENS_C = 86;
const THERMOSTAT_OPEN_C = 96;
const FAN_ON_C = 101;
const FAN_OFF_C = 97;
const HULL_W_PER_K = 18;

/** An engine with a gearbox that shifts by itself, a tank and a cooling circuit. */
export class Combustion implements Powertrain {
  readonly energy: PowertrainEnergy = { takenJ: 0, deliveredJ: 0, lostJ: 0 };
  /** Heat into the block, and out of it, J since the start. */
  readonly heat = { inJ: 0, outJ: 0 };
  coolantC: number;
  readonly startC: number;
  private gear = 1;
  private shiftLeftS = 0;
  private sinceShiftS = 0;
  private perMinute: number;
  private torqueNm = 0;
  private fuelW = 0;
  private usedL = 0;
  private readonly startL: number;
  private oilC: number;
  private fanOn = false;
  private elapsedS = 0;

  constructor(
    private readonly p: CombustionParameters,
    private readonly start: PowertrainStart,
    private readonly failing?: FailingPart,
  ) {
    this.perMinute = p.idlePerMinute;
    this.startL = p.tankL * start.prng.between(0.35, 0.95);
    this.coolantC = this.startC = start.ambientC + start.prng.between(0, 60);
    this.oilC = this.coolantC - 3;
  }

  step(wantedN: number, speed: number, dtS: number): number {
    const { p } = this;
    this.elapsedS += dtS;
    const wheel = speed / this.start.wheelRadiusM; // rad/s
    this.selectGear(wheel, dtS, wantedN);
    const ratio = p.gears[this.gear - 1] * p.finalDrive;
    const geared = (wheel * ratio) / RADIANS_PER_S;
    // Below idle the clutch slips.
    this.perMinute = Math.max(p.idlePerMinute, geared);
    const omega = this.perMinute * RADIANS_PER_S;
    const friction = p.frictionNm + p.frictionNmPerMinute * this.perMinute;
    const torqueLimit = Math.min(p.torqueMaxNm * shape(this.perMinute, p), p.powerMaxW / omega);
    let torque = 0;
    if (this.shiftLeftS <= 0) {
      const wanted = (wantedN * this.start.wheelRadiusM) / ratio;
      const wantedAtEngine = wantedN >= 0 ? wanted / p.driveEfficiency : wanted * p.driveEfficiency;
      const drag = geared > p.idlePerMinute * 1.15 ? -friction : 0;
      torque = Math.max(drag, Math.min(torqueLimit, wantedAtEngine));
    }
    const efficiency = torque >= 0 ? p.driveEfficiency : 1 / p.driveEfficiency;
    const force = (torque * ratio * efficiency) / this.start.wheelRadiusM;
    this.burn(torque, friction, omega, force * speed, dtS);
    return force;
  }

  show(into: Float64Array): void {
    const { p } = this;
    into[q.gear] = this.shiftLeftS > 0 ? 0 : this.gear;
    into[q.engineSpeed] = this.perMinute;
    into[q.engineTorque] = this.torqueNm;
    into[q.engineLoad] = Math.max(0, (100 * this.torqueNm) / (p.torqueMaxNm * shape(this.perMinute, p)));
    into[q.fuelRate] = (this.fuelW / p.fuelJPerL) * 3600;
    into[q.fuelUsed] = this.usedL;
    into[q.fuelLevel] = (100 * (this.startL - this.usedL)) / p.tankL;
    into[q.coolantTemperature] = this.coolantC;
    into[q.oilTemperature] = this.oilC;
    into[q.fan] = this.fanOn ? 1 : 0;
    into[q.lowVoltage] = 14.2 - (this.fanOn ? 0.3 : 0);
    into[q.state] = this.torqueNm > 0 && this.gear > 0 ? 2 : 1;
  }

  private selectGear(wheel: number, dtS: number, wantedN: number): void {
    const { p } = this;
    this.shiftLeftS -= dtS;
    this.sinceShiftS += dtS;
    if (this.shiftLeftS > 0 || this.sinceShiftS < 1) return;
    const geared = (wheel * p.gears[this.gear - 1] * p.finalDrive) / RADIANS_PER_S;
    const eager = wantedN > 0 ? 1 + Math.min(0.6, (wantedN / p.powerMaxW) * 15) : 1;
    const up = geared > p.shiftUpPerMinute * eager && this.gear < p.gears.length;
    const down = geared < p.shiftDownPerMinute && this.gear > 1;
    if (!up && !down) return;
    this.gear += up ? 1 : -1;
    this.sinceShiftS = 0;
    this.shiftLeftS = this.gear === 1 && down ? 0 : p.shiftS;
  }

  /** Fuel, work and heat of a step; each joule is in exactly one place. */
  private burn(torque: number, friction: number, omega: number, wheelW: number, dtS: number): void {
    const { p, energy } = this;
    this.torqueNm = torque;
    const indicatedW = Math.max(0, (torque + friction) * omega); // on overrun no fuel comes
    this.fuelW = indicatedW / p.indicatedEfficiency;
    this.usedL += (this.fuelW * dtS) / p.fuelJPerL;
    energy.takenJ += this.fuelW * dtS;
    energy.deliveredJ += wheelW * dtS;
    energy.lostJ += (this.fuelW - wheelW) * dtS;

    const toCoolantW = COOLANT_SHARE * (this.fuelW - indicatedW) + friction * omega * 0.8;
    const warmth = this.coolantC - this.start.ambientC;
    const open = (this.coolantC - THERMOSTAT_OPENS_C) / (THERMOSTAT_OPEN_C - THERMOSTAT_OPENS_C);
    if (this.coolantC > FAN_ON_C) this.fanOn = true;
    else if (this.coolantC < FAN_OFF_C) this.fanOn = false;
    const radiator = Math.max(0, Math.min(1, open)) * p.radiatorWPerK * (this.fanOn ? 1.8 : 1);
    const cooling = this.failing === 'coolant-leak' ? leakyCooling(this.elapsedS) : 1;
    const outW = warmth * (HULL_W_PER_K + radiator * cooling);
    this.heat.inJ += toCoolantW * dtS;
    this.heat.outJ += outW * dtS;
    this.coolantC += ((toCoolantW - outW) * dtS) / p.heatCapacityJPerK;
    this.oilC += (this.coolantC + this.fuelW / 12_000 - this.oilC) * 0.004 * dtS;
  }
}

/** The torque curve against the best torque: a hump in the middle of the range. */
function shape(perMinute: number, { shiftUpPerMinute, idlePerMinute }: CombustionParameters): number {
  const best = (idlePerMinute + 1.5 * shiftUpPerMinute) / 2;
  const away = (perMinute - best) / best;
  return Math.max(0.45, 1 - 0.45 * away * away);
}

import { weakCellOhm, type FailingPart } from './failing.js';
import { quantity as q } from './quantities.js';
import type { Powertrain, PowertrainEnergy, PowertrainStart } from './powertrain.js';

export interface ElectricParameters {
  ratio: number;
  torqueMaxNm: number;
  powerMaxW: number;
  recuperationMaxW: number;
  /** Of motor, inverter and gear together, each way. */
  efficiency: number;
  auxiliaryW: number;
  motorHeatJPerK: number;
  cells: number;
  capacityAh: number;
  resistanceOhm: number;
  heatCapacityJPerK: number;
  coolingWPerK: number;
}

const RADIANS_PER_S = Math.PI / 30;
/** Below this the motor can't win anything back, m/s. */
const RECUPERATES_ABOVE = 2;

/** A motor with one fixed gear, and a battery: cells with a voltage by charge, behind a resistance. */
export class Electric implements Powertrain {
  readonly energy: PowertrainEnergy = { takenJ: 0, deliveredJ: 0, lostJ: 0 };
  readonly heat = { inJ: 0, outJ: 0 };
  batteryC: number;
  readonly startC: number;
  /** Charge taken from the cells since the start, As. */
  drawnAs = 0;
  private readonly startCharge: number;
  private charge: number;
  private motorC: number;
  private volts = 0;
  private amperes = 0;
  private torqueNm = 0;
  private perMinute = 0;
  private readonly spreadV: number;
  private elapsedS = 0;
  /** Of a weak cell, beyond its share. */
  private weakOhm = 0;

  constructor(
    private readonly p: ElectricParameters,
    private readonly start: PowertrainStart,
    private readonly failing?: FailingPart,
  ) {
    this.startCharge = this.charge = start.prng.between(0.45, 0.98);
    this.batteryC = this.startC = start.ambientC + start.prng.between(0, 8);
    this.motorC = start.ambientC + 2;
    this.spreadV = start.prng.between(0.004, 0.02);
  }

  step(wantedN: number, speed: number, dtS: number): number {
    const { p, start } = this;
    this.elapsedS += dtS;
    if (this.failing === 'weak-cell') this.weakOhm = weakCellOhm(p.resistanceOhm / p.cells, this.elapsedS);
    const omega = (speed / start.wheelRadiusM) * p.ratio;
    const wanted = (wantedN * start.wheelRadiusM) / p.ratio;
    const full = Math.min(p.torqueMaxNm, p.powerMaxW / Math.max(omega, 1)) * this.derating();
    const back =
      speed < RECUPERATES_ABOVE ? 0 : Math.min(p.torqueMaxNm, p.recuperationMaxW / omega) * this.roomLeft();
    this.torqueNm = Math.max(-back, Math.min(full, wanted));
    this.perMinute = omega / RADIANS_PER_S;
    const mechanicalW = this.torqueNm * omega;
    const motorW = mechanicalW >= 0 ? mechanicalW / p.efficiency : mechanicalW * p.efficiency;
    const takenW = this.draw(motorW + p.auxiliaryW, dtS);
    this.energy.deliveredJ += mechanicalW * dtS;
    this.energy.lostJ += (takenW - mechanicalW) * dtS;
    this.motorC += ((motorW - mechanicalW) / p.motorHeatJPerK - (this.motorC - start.ambientC) * 0.004) * dtS;
    return (this.torqueNm * p.ratio) / start.wheelRadiusM;
  }

  show(into: Float64Array): void {
    const { p } = this;
    const cell = this.volts / p.cells;
    into[q.gear] = 1;
    into[q.motorSpeed] = this.perMinute;
    into[q.motorTorque] = this.torqueNm;
    into[q.motorTemperature] = this.motorC;
    into[q.batteryVoltage] = this.volts;
    into[q.batteryCurrent] = this.amperes;
    into[q.batteryCharge] = 100 * this.charge;
    into[q.batteryTemperature] = this.batteryC;
    into[q.cellVoltageMax] = cell + this.spreadV + Math.max(0, -this.amperes) * this.weakOhm;
    into[q.cellVoltageMin] = cell - 1.3 * this.spreadV - Math.max(0, this.amperes) * this.weakOhm;
    into[q.batteryPowerLimit] = (p.powerMaxW * this.derating()) / 1000;
    into[q.lowVoltage] = 13.6;
    into[q.state] = this.torqueNm > 0 ? 2 : this.torqueNm < 0 ? 3 : 1;
  }

  /** Lithium-ion: steep at both ends, flat between. */
  private openVolts(): number {
    const { charge } = this;
    return this.p.cells * (3.42 + 0.62 * charge + 0.16 * charge * charge - 0.3 * Math.exp(-22 * charge));
  }

  /** U·I = P behind the resistance: the smaller root of R·I² − U₀·I + P = 0. Returns what the cells gave, W. */
  private draw(powerW: number, dtS: number): number {
    const { p, energy } = this;
    const open = this.openVolts();
    const resistanceOhm = p.resistanceOhm + this.weakOhm;
    const root = Math.max(0, open * open - 4 * resistanceOhm * powerW);
    this.amperes = (open - Math.sqrt(root)) / (2 * resistanceOhm);
    this.volts = open - this.amperes * resistanceOhm;
    energy.takenJ += open * this.amperes * dtS;
    this.drawnAs += this.amperes * dtS;
    this.charge = this.startCharge - this.drawnAs / (p.capacityAh * 3600);
    const heatW = this.amperes * this.amperes * resistanceOhm;
    const outW = (this.batteryC - this.start.ambientC) * p.coolingWPerK;
    this.heat.inJ += heatW * dtS;
    this.heat.outJ += outW * dtS;
    this.batteryC += ((heatW - outW) * dtS) / p.heatCapacityJPerK;
    return open * this.amperes;
  }

  /** Less power as the battery runs empty. */
  private derating(): number {
    return Math.max(0, Math.min(1, (this.charge - 0.02) / 0.08));
  }

  private roomLeft(): number {
    return Math.max(0, Math.min(1, (0.97 - this.charge) / 0.05));
  }
}

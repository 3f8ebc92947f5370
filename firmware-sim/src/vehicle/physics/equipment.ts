import { Prng } from '../prng.js';
import { quantity as q } from './quantities.js';

/** What a vehicle works with beside driving. It writes its quantities after those of the drive. */
export interface Equipment {
  /** `standsForS`: how much longer the vehicle is going to stand; 0 where it moves. */
  step(values: Float64Array, standsForS: number, dtS: number): void;
}

/** Shorter stops are for traffic. */
const STOP_S_MIN = 5;
/** Doors are shut so long before it departs. */
const DEPARTURE_S = 1.5;
const SECONDS_PER_PERSON = 0.8;
const BRAKE_PIPE_KPA = 500;
const BRAKE_PIPE_DROP_KPA = 150;

/** Doors and people of a bus or a train: at stops some alight, then some board. Bits of `doors`: one a door. */
export class Doors implements Equipment {
  private readonly prng: Prng;
  private isOpen = false;
  private hasServed = false;
  private alighting = 0;
  private boarding = 0;
  private sinceS = 0;
  private passengers: number;
  private boarded = 0;
  private alighted = 0;

  constructor(
    seed: number,
    private readonly doors: number,
    private readonly seats: number,
    private readonly brakeForceMaxN: number,
  ) {
    this.prng = new Prng(seed, 13);
    this.passengers = this.prng.below(Math.ceil(seats / 2));
  }

  step(values: Float64Array, standsForS: number, dtS: number): void {
    if (standsForS === 0) this.hasServed = false;
    if (!this.hasServed && standsForS > STOP_S_MIN) this.open();
    if (this.isOpen && standsForS < DEPARTURE_S) this.isOpen = false;
    this.sinceS += dtS;
    if (this.isOpen && this.sinceS >= SECONDS_PER_PERSON / this.doors) this.exchange();
    values[q.doors] = this.isOpen ? 2 ** this.doors - 1 : 0;
    values[q.passengers] = this.passengers;
    values[q.boarded] = this.boarded;
    values[q.alighted] = this.alighted;
    const braking = Math.min(1, values[q.brakeForce] / this.brakeForceMaxN);
    values[q.brakePipe] = BRAKE_PIPE_KPA - BRAKE_PIPE_DROP_KPA * braking;
  }

  private open(): void {
    this.isOpen = this.hasServed = true;
    this.sinceS = 0;
    this.alighting = this.prng.below(1 + Math.ceil(this.passengers / 3));
    this.boarding = this.prng.below(1 + Math.ceil((this.seats - this.passengers) / 4));
  }

  /** One person through one of the doors. */
  private exchange(): void {
    this.sinceS = 0;
    if (this.alighting > 0 && this.passengers > 0) {
      this.alighting--;
      this.passengers--;
      this.alighted++;
    } else if (this.boarding > 0 && this.passengers < this.seats) {
      this.boarding--;
      this.passengers++;
      this.boarded++;
    }
  }
}

const PHASE_S = 2;
/** A bin is lifted where there is time to put it down again. */
const CYCLE_S = 3 * PHASE_S + 1;
const UNLOADED_KG_PER_S = 300;

/** Lift and body of a refuse truck: bins of all levels at each stop, until it is full and unloads. */
export class RefuseBody implements Equipment {
  private readonly prng: Prng;
  /** 0 at rest, then as `liftState`. */
  private state = 0;
  private phaseS = 0;
  private level = 0;
  private weightKg = 0;
  private bins = 0;
  private loadKg: number;

  constructor(
    seed: number,
    private readonly loadMaxKg: number,
  ) {
    this.prng = new Prng(seed, 14);
    this.loadKg = loadMaxKg * this.prng.between(0, 0.4);
  }

  step(values: Float64Array, standsForS: number, dtS: number): void {
    this.phaseS += dtS;
    if (this.state === 0 && standsForS > CYCLE_S) this.begin();
    else if (this.state === 4) this.unload(standsForS, dtS);
    else if (this.state > 0 && this.phaseS >= PHASE_S) this.goOn();
    const progress = Math.min(1, this.phaseS / PHASE_S);
    const onLift = this.state === 1 ? progress : this.state === 2 ? 1 - progress : 0;
    if (this.state === 2) this.loadKg += (this.weightKg * dtS) / PHASE_S;
    values[q.liftState] = this.state;
    values[q.binLevel] = this.level * onLift;
    values[q.binWeight] = this.weightKg * onLift;
    values[q.binsEmptied] = this.bins;
    values[q.load] = this.loadKg;
    values[q.bodyFill] = (100 * this.loadKg) / this.loadMaxKg;
  }

  private begin(): void {
    this.phaseS = 0;
    this.state = this.loadKg > 0.98 * this.loadMaxKg ? 4 : 1;
    this.level = this.prng.between(15, 100);
    // Two-wheeled bins of 240 l; a litre of household refuse weighs 60 to 140 g.
    this.weightKg = 2.4 * this.level * this.prng.between(0.06, 0.14);
  }

  private goOn(): void {
    this.phaseS = 0;
    if (this.state === 2) this.bins++;
    this.state = (this.state + 1) % 4;
  }

  private unload(standsForS: number, dtS: number): void {
    this.loadKg = Math.max(0, this.loadKg - UNLOADED_KG_PER_S * dtS);
    if (this.loadKg === 0 || standsForS < 1) this.state = 0;
  }
}

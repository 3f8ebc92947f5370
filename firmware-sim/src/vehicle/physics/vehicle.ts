import { Prng } from '../prng.js';
import { isFlat, wantedSpeed, type Driving, type WantedSpeed } from './driving.js';
import { LOOP_M, Road } from './road.js';
import { quantity as q, quantityCount } from './quantities.js';
import type { Equipment } from './equipment.js';
import type { Powertrain, PowertrainStart } from './powertrain.js';
import type { DrivingStyle } from './speed-profile.js';
import type { Stretch } from '../stretches.js';

export interface BodyParameters {
  massKg: number;
  /** What wheels and shafts add to the inertia, as part of the mass. */
  rotating: number;
  /** Drag coefficient times frontal area, m². */
  dragAreaM2: number;
  rollingCoefficient: number;
  wheelRadiusM: number;
  wheelbaseM: number;
  trackM: number;
  steeringRatio: number;
  brakeForceMaxN: number;
  style: DrivingStyle;
  hilliness: number;
}

const STEP_US = 10_000;
const STEP_S = STEP_US / 1e6;
const GRAVITY = 9.80665;
const AIR_KG_PER_M3 = 1.204;
/** The driver: force per m/s and per metre that the vehicle is behind the profile, as part of the mass. */
const DRIVER_PROPORTIONAL = 0.9;
const DRIVER_INTEGRAL = 0.12;

/**
 * A vehicle under way, in steps of 10 ms: a driver who follows a speed profile, a powertrain, brakes, air, tyres and a
 * road with hills. A pure function of the seed and the time. Within a step forces are constant, so that work and
 * kinetic energy agree to the last digit: v₁ = v₀ + a·dt, x₁ = x₀ + (v₀ + v₁)/2·dt.
 */
export class PhysicalVehicle {
  /** By `quantity`. */
  readonly values = new Float64Array(quantityCount);
  /** Work since the start, J: by the powertrain, against brakes, air, tyres and the slope. */
  readonly work = { tractionJ: 0, brakeJ: 0, airJ: 0, rollingJ: 0, slopeJ: 0 };
  readonly powertrain: Powertrain;
  eastM = 0;
  northM = 0;
  private readonly road: Road;
  private readonly profile: WantedSpeed;
  private readonly tunnels: readonly Stretch[];
  private readonly prng: Prng;
  private readonly startOdometerKm: number;
  private stepsDone = 0;
  private distanceM = 0;
  private speed = 0;
  private behindM = 0;
  private brakeN = 0;

  constructor(
    seed: number,
    private readonly body: BodyParameters,
    createPowertrain: (start: PowertrainStart) => Powertrain,
    { tunnels = [], driving }: { tunnels?: readonly Stretch[]; driving?: Driving } = {},
    private readonly equipment?: Equipment,
  ) {
    this.prng = new Prng(seed, 10);
    const ambientC = this.prng.between(-6, 33);
    this.startOdometerKm = this.prng.between(2000, 190_000);
    this.tunnels = tunnels;
    this.road = new Road(seed, isFlat(driving) ? 0 : body.hilliness);
    this.profile = wantedSpeed(seed, body.style, driving);
    this.powertrain = createPowertrain({ prng: this.prng, ambientC, wheelRadiusM: body.wheelRadiusM });
    const { values } = this;
    values[q.ambientTemperature] = ambientC;
    values[q.cabinTemperature] = ambientC + 2;
    values[q.tyrePressure] = this.prng.between(0.97, 1.03);
    values[q.headlights] = this.prng.below(3);
    values[q.airPressure] = this.prng.between(880, 960);
    this.show(0, 0);
  }

  /** Radians, clockwise from north. */
  get heading(): number {
    return this.road.heading(this.distanceM);
  }

  get speedMps(): number {
    return this.speed;
  }

  /** Effective inertia, kg. */
  get inertiaKg(): number {
    return this.body.massKg * (1 + this.body.rotating);
  }

  /** No sky above. */
  get tunnel(): boolean {
    const m = this.placeM;
    return this.tunnels.some(({ fromM, toM }) => m >= fromM && m < toM);
  }

  /** Metres from the start of the loop. */
  get placeM(): number {
    return this.distanceM % LOOP_M;
  }

  /** Goes on to `elapsedUs` after the start; never back. */
  advanceTo(elapsedUs: number): void {
    const steps = Math.floor(elapsedUs / STEP_US);
    while (this.stepsDone < steps) this.step();
  }

  private step(): void {
    this.stepsDone++;
    const { body, profile, work, speed, inertiaKg } = this;
    profile.advance(STEP_S);
    const airN = 0.5 * AIR_KG_PER_M3 * body.dragAreaM2 * speed * speed;
    const slope = this.road.slope(this.distanceM + (speed * STEP_S) / 2);
    const slopeN = body.massKg * GRAVITY * slope;
    const rollingN = speed > 0 || profile.target > 0 ? body.massKg * GRAVITY * body.rollingCoefficient : 0;

    const error = profile.target - speed;
    this.behindM = Math.max(-8, Math.min(8, this.behindM * 0.999 + error * STEP_S));
    const wish = profile.rate + DRIVER_PROPORTIONAL * error + DRIVER_INTEGRAL * this.behindM;
    const wantedN = airN + rollingN + slopeN + inertiaKg * wish;
    const tractiveN = this.powertrain.step(wantedN, speed, STEP_S);
    const leftN = tractiveN - wantedN;
    const standing = profile.target === 0 && speed < 0.3;
    const brakeWish = standing
      ? body.brakeForceMaxN * 0.25
      : leftN > 0.02 * body.massKg && wantedN < 0
        ? leftN
        : 0;
    this.brakeN += (Math.min(body.brakeForceMaxN, brakeWish) - this.brakeN) * 0.35;

    // Brakes and tyres only ever resist: they can stop the vehicle, not push it back.
    const drivingN = tractiveN - airN - slopeN;
    const resistingN = this.brakeN + rollingN;
    const stopsN = drivingN + (inertiaKg * speed) / STEP_S;
    const usedN = Math.max(0, Math.min(resistingN, stopsN));
    const acceleration = Math.max((drivingN - usedN) / inertiaKg, -speed / STEP_S);
    const next = speed + acceleration * STEP_S;
    const moved = ((speed + next) / 2) * STEP_S;
    const share = resistingN > 0 ? usedN / resistingN : 0;
    work.tractionJ += tractiveN * moved;
    work.airJ += airN * moved;
    work.slopeJ += slopeN * moved;
    // Where the slope alone would push it back the brakes hold it.
    const holdN = inertiaKg * acceleration - (drivingN - usedN);
    work.brakeJ += (this.brakeN * share - holdN) * moved;
    work.rollingJ += rollingN * share * moved;

    const middle = this.road.heading(this.distanceM + moved / 2);
    this.eastM += Math.sin(middle) * moved;
    this.northM += Math.cos(middle) * moved;
    this.distanceM += moved;
    this.speed = next;
    this.values[q.tractiveForce] = tractiveN;
    this.values[q.slope] = slope;
    this.show(acceleration, wantedN);
    this.equipment?.step(this.values, next === 0 ? profile.standsForS : 0, STEP_S);
  }

  private show(acceleration: number, wantedN: number): void {
    const { values, body, speed, prng } = this;
    const timeS = this.stepsDone * STEP_S;
    const curvature = this.road.curvature(this.distanceM);
    const yawRate = curvature * speed;
    const lean = (curvature * body.trackM) / 2;
    values[q.time] = timeS;
    values[q.speed] = speed;
    values[q.acceleration] = acceleration;
    values[q.distance] = this.distanceM;
    values[q.odometer] = this.startOdometerKm + this.distanceM / 1000;
    values[q.height] = this.road.height(this.distanceM);
    values[q.yawRate] = yawRate;
    values[q.lateralAcceleration] = yawRate * speed;
    values[q.steeringAngle] = Math.atan(curvature * body.wheelbaseM) * body.steeringRatio * (180 / Math.PI);
    values[q.wheelFrontLeft] = values[q.wheelRearLeft] = speed * (1 + lean);
    values[q.wheelFrontRight] = values[q.wheelRearRight] = speed * (1 - lean);
    values[q.pedal] = Math.max(0, Math.min(100, (100 * wantedN) / (body.massKg * 3.5)));
    values[q.brakePedal] = this.brakeN > 0.02 * body.massKg ? 1 : 0;
    values[q.brakeForce] = this.brakeN;
    values[q.brakePressure] = (this.brakeN / body.brakeForceMaxN) * 120;
    values[q.turnIndicator] = Math.abs(values[q.steeringAngle]) > 28 ? (curvature < 0 ? 1 : 2) : 0;
    values[q.doors] = timeS < 1.5 ? 1 : 0;
    this.powertrain.show(values);
    if (this.stepsDone % 100 !== 0) return;
    values[q.cabinTemperature] += (21.5 - values[q.cabinTemperature]) * 0.006;
    values[q.airPressure] += (values[q.brakePedal] ? -1.5 : 2) + (values[q.airPressure] > 1100 ? -2 : 0);
    values[q.tyrePressure] += (1.02 - values[q.tyrePressure]) * 0.0004 + prng.gauss() * 2e-5;
  }
}

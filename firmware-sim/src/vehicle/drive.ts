import { Prng } from './prng.js';
import { signalCount, signalIndex as s } from './signals.js';

const STEP_US = 10_000;
const STEP_S = STEP_US / 1e6;
const WHEEL_CIRCUMFERENCE_M = 2.05;
const WHEELBASE_M = 2.85;
const STEERING_RATIO = 15.2;
const MASS_KG = 1640;
const TURN_BACK_M = 25_000;
/** Engine revolutions per wheel revolution by gear. */
const ratios = [0, 13.2, 7.9, 5.3, 3.95, 3.1, 2.45];
/** Roads: highest and lowest target speed (m/s), how long a stretch lasts (s), how curvy it is (rad/m). */
const roads = [
  { fast: 0, slow: 0, shortS: 4, longS: 22, bend: 0 }, // a red light
  { fast: 9, slow: 6, shortS: 15, longS: 45, bend: 0.02 }, // a street with speed bumps
  { fast: 15, slow: 11, shortS: 20, longS: 70, bend: 0.006 }, // a town
  { fast: 27, slow: 19, shortS: 30, longS: 120, bend: 0.002 }, // country
  { fast: 36, slow: 29, shortS: 60, longS: 180, bend: 0.0006 }, // a motorway
];

/**
 * One vehicle under way, in steps of 10 ms: a driver who holds the speed of the road, an engine, an automatic gearbox,
 * heat, fuel. Simple but consistent (speed, wheels, engine, gear and position fit each other). A pure function of the
 * seed and the time since the start. Positions are metres from an invented home.
 */
export class Drive {
  /** By `signalIndex`. */
  readonly signals = new Float64Array(signalCount);
  eastM = 0;
  northM = 0;
  /** Radians, clockwise from north. */
  heading: number;
  /** No sky: the receiver has no fix. */
  tunnel = false;

  private stepsDone = 0;
  private stretchEndS = 0;
  private targetSpeed = 0;
  private bend = 0;
  private curvature = 0;
  private grade = 0;
  private speed = 0;
  private acceleration = 0;
  private gear = 1;
  private shiftedS = 0;
  private readonly prng: Prng;

  constructor(seed: number) {
    this.prng = new Prng(seed, 1);
    const { signals, prng } = this;
    this.heading = prng.between(0, 2 * Math.PI);
    const ambient = prng.between(-4, 31);
    signals[s.ambientTemperature] = ambient;
    signals[s.intakeTemperature] = ambient + 6;
    signals[s.coolantTemperature] = ambient + prng.between(0, 50);
    signals[s.oilTemperature] = signals[s.coolantTemperature] - 4;
    signals[s.gearboxTemperature] = signals[s.coolantTemperature] - 8;
    signals[s.cabinTemperature] = ambient + 3;
    signals[s.fuelLevel] = prng.between(20, 95);
    signals[s.odometer] = prng.between(2e6, 1.8e8);
    signals[s.tyrePressure] = prng.between(225, 245);
    signals[s.headlights] = prng.below(3);
    signals[s.wipers] = prng.chance(0.25) ? 1 : 0;
    signals[s.fanSpeed] = 1 + prng.below(5);
    signals[s.distanceAhead] = 60;
    signals[s.engineSpeed] = 800;
  }

  get speedMps(): number {
    return this.speed;
  }

  /** Goes on to `elapsedUs` after the start; never back. */
  advanceTo(elapsedUs: number): void {
    const steps = Math.floor(elapsedUs / STEP_US);
    while (this.stepsDone < steps) this.step();
  }

  private step(): void {
    this.stepsDone++;
    const timeS = this.stepsDone * STEP_S;
    if (timeS >= this.stretchEndS) this.enterStretch(timeS);
    this.move();
    this.runEngine(timeS);
    if (this.stepsDone % 10 === 0) this.warmUp();
    this.signals[s.uptime] = timeS;
  }

  private enterStretch(timeS: number): void {
    const { prng, signals } = this;
    const road = roads[this.stretchEndS === 0 ? 2 : prng.below(roads.length)];
    this.stretchEndS = timeS + prng.between(road.shortS, road.longS);
    this.targetSpeed = prng.between(road.slow, road.fast);
    this.bend = road.bend;
    this.grade = prng.gauss() * 0.015;
    this.tunnel = road.slow > 10 && prng.chance(0.06);
    signals[s.cruiseTarget] = this.targetSpeed > 20 && prng.chance(0.5) ? this.targetSpeed * 3.6 : 0;
    signals[s.turnIndicator] = prng.chance(0.3) ? 1 + prng.below(2) : 0;
  }

  private move(): void {
    const { prng, signals } = this;
    // The driver: closes in on the target, never harder than comfort allows.
    const wish = (this.targetSpeed - this.speed) * 0.35 + prng.gauss() * 0.12;
    const limited = Math.max(-3.2, Math.min(2.4 - this.speed * 0.04, wish));
    this.acceleration += (limited - this.acceleration) * 0.05;
    this.speed = Math.max(0, this.speed + this.acceleration * STEP_S);
    if (this.speed === 0) this.acceleration = Math.max(0, this.acceleration);

    // The road bends at random, and back home where the invented map ends.
    const away = Math.hypot(this.eastM, this.northM) > TURN_BACK_M;
    const homeward = away ? Math.sin(Math.atan2(-this.eastM, -this.northM) - this.heading) * 0.004 : 0;
    this.curvature += (homeward - this.curvature) * 0.004 + prng.gauss() * this.bend * 0.02;
    const yawRate = this.curvature * this.speed;
    this.heading += yawRate * STEP_S;
    this.eastM += Math.sin(this.heading) * this.speed * STEP_S;
    this.northM += Math.cos(this.heading) * this.speed * STEP_S;

    const wheelAngle = Math.atan(this.curvature * WHEELBASE_M) * STEERING_RATIO * (180 / Math.PI);
    signals[s.steeringRate] = (wheelAngle - signals[s.steeringAngle]) / STEP_S;
    signals[s.steeringAngle] = wheelAngle;
    signals[s.steeringTorque] = wheelAngle * 0.02 + prng.gauss() * 0.1;
    signals[s.speed] = this.speed;
    signals[s.acceleration] = this.acceleration + this.grade * 9.81 + prng.gauss() * 0.03;
    signals[s.lateralAcceleration] = yawRate * this.speed + prng.gauss() * 0.03;
    signals[s.yawRate] = yawRate + prng.gauss() * 0.002;
    const kmh = this.speed * 3.6;
    const lean = this.curvature * 0.78 * kmh;
    const noise = kmh > 0 ? 0.04 : 0;
    signals[s.wheelFrontLeft] = kmh + lean + prng.gauss() * noise;
    signals[s.wheelFrontRight] = kmh - lean + prng.gauss() * noise;
    signals[s.wheelRearLeft] = kmh + lean * 0.96 + prng.gauss() * noise;
    signals[s.wheelRearRight] = kmh - lean * 0.96 + prng.gauss() * noise;
    const metres = this.speed * STEP_S;
    signals[s.odometer] += metres;
    signals[s.wheelPulses] += (metres / WHEEL_CIRCUMFERENCE_M) * 48;
    signals[s.laneOffset] += (prng.gauss() * 0.05 - signals[s.laneOffset]) * 0.02;
    const gap = 6 + this.speed * 1.6;
    signals[s.distanceAhead] += (gap - signals[s.distanceAhead]) * 0.003 + prng.gauss() * 0.05;
  }

  private runEngine(timeS: number): void {
    const { prng, signals } = this;
    const wheelPerMinute = (this.speed / WHEEL_CIRCUMFERENCE_M) * 60;
    const geared = wheelPerMinute * ratios[this.gear];
    if (timeS - this.shiftedS > 0.8) {
      if (geared > 2300 + signals[s.pedal] * 22 && this.gear < 6) this.shift(this.gear + 1, timeS);
      else if (geared < 1250 && this.gear > 1) this.shift(this.gear - 1, timeS);
    }
    const wanted = Math.max(780, wheelPerMinute * ratios[this.gear]);
    signals[s.engineSpeed] += (wanted - signals[s.engineSpeed]) * 0.12 + prng.gauss() * 3;
    signals[s.gear] = this.gear;
    signals[s.gearboxSpeed] = wheelPerMinute * 3.1;

    const drag = 0.42 * this.speed * this.speed + 190 + MASS_KG * 9.81 * this.grade;
    const force = MASS_KG * this.acceleration + (this.speed > 0 ? drag : 0);
    const radius = WHEEL_CIRCUMFERENCE_M / (2 * Math.PI);
    const torque = Math.max(-35, Math.min(340, (force * radius) / (ratios[this.gear] * 0.92) + 14));
    signals[s.engineTorque] = torque;
    signals[s.pedal] = Math.max(0, Math.min(100, torque * 0.3));
    signals[s.throttle] += (signals[s.pedal] * 0.95 + 4 - signals[s.throttle]) * 0.2;
    const braking = this.acceleration < -0.6 || (this.speed < 0.3 && this.targetSpeed === 0);
    signals[s.brakeSwitch] = braking ? 1 : 0;
    const pressure = braking ? 6 - this.acceleration * 14 : 0;
    signals[s.brakePressure] += (pressure - signals[s.brakePressure]) * 0.15;
    signals[s.manifoldPressure] = 32 + signals[s.throttle] * 1.1 + prng.gauss() * 0.3;
    signals[s.airMass] = (signals[s.engineSpeed] * signals[s.manifoldPressure]) / 9000;
    signals[s.lambda] = 1 + prng.gauss() * 0.006;
    signals[s.fuelRate] = signals[s.airMass] * 0.33;
  }

  private shift(gear: number, timeS: number): void {
    this.gear = gear;
    this.shiftedS = timeS;
  }

  /** Slow things, each 100 ms. */
  private warmUp(): void {
    const { prng, signals } = this;
    const power = Math.abs(signals[s.engineTorque] * signals[s.engineSpeed]) / 9549; // kW
    const ambient = signals[s.ambientTemperature];
    const cooling = (signals[s.coolantTemperature] - ambient) * 0.0004;
    const thermostat = Math.max(0, signals[s.coolantTemperature] - 91) * 0.01;
    signals[s.coolantTemperature] += 0.02 + power * 0.0012 - cooling - thermostat;
    signals[s.oilTemperature] += (signals[s.coolantTemperature] + 5 - signals[s.oilTemperature]) * 0.002;
    signals[s.gearboxTemperature] +=
      (signals[s.coolantTemperature] - 9 - signals[s.gearboxTemperature]) * 0.001;
    signals[s.intakeTemperature] += (ambient + 22 - this.speed * 0.4 - signals[s.intakeTemperature]) * 0.005;
    signals[s.cabinTemperature] += (21.5 - signals[s.cabinTemperature]) * 0.001;
    signals[s.fuelLevel] = Math.max(3, signals[s.fuelLevel] - signals[s.fuelRate] / 36_000 / 0.5);
    signals[s.batteryVoltage] = 14.1 + prng.gauss() * 0.03 - signals[s.headlights] * 0.08;
    signals[s.batteryCurrent] = 8 + prng.gauss() * 0.8 - signals[s.fanSpeed] * 1.4;
    signals[s.tyrePressure] += prng.gauss() * 0.002;
  }
}

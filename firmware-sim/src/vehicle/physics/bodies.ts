import type { CombustionParameters } from './combustion.js';
import type { ElectricParameters } from './electric.js';
import type { BodyParameters } from './vehicle.js';

/* Of nobody's vehicle in particular: what is usual in its class. */

export const carBody: BodyParameters = {
  massKg: 1480,
  rotating: 0.05,
  dragAreaM2: 0.66,
  rollingCoefficient: 0.0105,
  wheelRadiusM: 0.316,
  wheelbaseM: 2.65,
  trackM: 1.55,
  steeringRatio: 15.2,
  brakeForceMaxN: 13_500,
  hilliness: 1,
  style: { accelerationMax: 1.7, decelerationMax: 1.6, speedMax: 38, urban: 0.5, rural: 0.3 },
};

export const petrolEngine: CombustionParameters = {
  gears: [3.62, 2.05, 1.37, 1.03, 0.8, 0.66],
  finalDrive: 3.94,
  driveEfficiency: 0.94,
  torqueMaxNm: 250,
  powerMaxW: 110_000,
  idlePerMinute: 780,
  shiftUpPerMinute: 2300,
  shiftDownPerMinute: 1250,
  frictionNm: 14,
  frictionNmPerMinute: 0.004,
  indicatedEfficiency: 0.4,
  tankL: 50,
  fuelJPerL: 32e6,
  shiftS: 0.3,
  heatCapacityJPerK: 95_000,
  radiatorWPerK: 900,
};

export const electricBody: BodyParameters = {
  ...carBody,
  massKg: 1850,
  rotating: 0.04,
  dragAreaM2: 0.61,
  wheelRadiusM: 0.34,
  wheelbaseM: 2.77,
  brakeForceMaxN: 16_000,
  style: { ...carBody.style, accelerationMax: 2.2, decelerationMax: 1.5 },
};

export const electricDrive: ElectricParameters = {
  ratio: 9.7,
  torqueMaxNm: 330,
  powerMaxW: 150_000,
  recuperationMaxW: 65_000,
  efficiency: 0.91,
  auxiliaryW: 650,
  motorHeatJPerK: 42_000,
  cells: 96,
  capacityAh: 170,
  resistanceOhm: 0.075,
  heatCapacityJPerK: 380_000,
  coolingWPerK: 55,
};

export const truckBody: BodyParameters = {
  massKg: 26_000,
  rotating: 0.03,
  dragAreaM2: 5.6,
  rollingCoefficient: 0.006,
  wheelRadiusM: 0.49,
  wheelbaseM: 3.8,
  trackM: 2.05,
  steeringRatio: 20,
  brakeForceMaxN: 150_000,
  hilliness: 0.5,
  style: { accelerationMax: 0.75, decelerationMax: 0.9, speedMax: 24.5, urban: 0.25, rural: 0.3 },
};

export const dieselEngine: CombustionParameters = {
  gears: [14.9, 11.7, 9.2, 7.2, 5.7, 4.5, 3.5, 2.8, 2.2, 1.7, 1.3, 1],
  finalDrive: 2.6,
  driveEfficiency: 0.95,
  torqueMaxNm: 2300,
  powerMaxW: 340_000,
  idlePerMinute: 560,
  shiftUpPerMinute: 1350,
  shiftDownPerMinute: 950,
  frictionNm: 110,
  frictionNmPerMinute: 0.09,
  indicatedEfficiency: 0.47,
  tankL: 600,
  fuelJPerL: 35.8e6,
  shiftS: 0.5,
  heatCapacityJPerK: 480_000,
  radiatorWPerK: 5200,
};

export const busBody: BodyParameters = {
  massKg: 15_500,
  rotating: 0.05,
  dragAreaM2: 5.2,
  rollingCoefficient: 0.008,
  wheelRadiusM: 0.48,
  wheelbaseM: 5.9,
  trackM: 2.1,
  steeringRatio: 21,
  brakeForceMaxN: 95_000,
  hilliness: 0.4,
  style: { accelerationMax: 1.1, decelerationMax: 1, speedMax: 19, urban: 0.9, rural: 0.1 },
};

export const busDrive: ElectricParameters = {
  ratio: 22,
  torqueMaxNm: 700,
  powerMaxW: 250_000,
  recuperationMaxW: 170_000,
  efficiency: 0.9,
  auxiliaryW: 6000,
  motorHeatJPerK: 160_000,
  cells: 192,
  capacityAh: 500,
  resistanceOhm: 0.08,
  heatCapacityJPerK: 2_400_000,
  coolingWPerK: 300,
};

export const refuseBody: BodyParameters = {
  ...truckBody,
  massKg: 20_000,
  dragAreaM2: 6.3,
  rollingCoefficient: 0.0075,
  wheelRadiusM: 0.5,
  brakeForceMaxN: 120_000,
  style: { accelerationMax: 0.9, decelerationMax: 1, speedMax: 23, urban: 0.95, rural: 0.05 },
};

export const refuseEngine: CombustionParameters = {
  ...dieselEngine,
  gears: [6.6, 4.9, 3.6, 2.7, 2, 1.48, 1.1, 0.82],
  finalDrive: 4.1,
  torqueMaxNm: 1400,
  powerMaxW: 235_000,
  idlePerMinute: 600,
  shiftUpPerMinute: 1450,
  frictionNm: 75,
  frictionNmPerMinute: 0.06,
  tankL: 250,
  heatCapacityJPerK: 360_000,
  radiatorWPerK: 3800,
};

/** Three cars with batteries in the place of a wire. */
export const trainBody: BodyParameters = {
  massKg: 118_000,
  rotating: 0.08,
  dragAreaM2: 9.5,
  rollingCoefficient: 0.0016,
  wheelRadiusM: 0.42,
  wheelbaseM: 2.6,
  trackM: 1.5,
  steeringRatio: 1,
  brakeForceMaxN: 160_000,
  hilliness: 0.12,
  style: { accelerationMax: 0.8, decelerationMax: 0.7, speedMax: 38, urban: 0.1, rural: 0.4 },
};

export const trainDrive: ElectricParameters = {
  ratio: 5.5,
  torqueMaxNm: 9000,
  powerMaxW: 1_500_000,
  recuperationMaxW: 1_200_000,
  efficiency: 0.91,
  auxiliaryW: 60_000,
  motorHeatJPerK: 900_000,
  cells: 380,
  capacityAh: 500,
  resistanceOhm: 0.05,
  heatCapacityJPerK: 5_000_000,
  coolingWPerK: 1500,
};

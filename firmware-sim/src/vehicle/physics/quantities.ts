/** What is true of a vehicle at one moment, one number each; what its sensors make of it is another matter. */
const names = [
  'time', // s since the start
  'speed', // m/s
  'acceleration', // m/s²
  'distance', // m
  'odometer', // km
  'height', // m
  'slope', // m/m
  'lateralAcceleration', // m/s²
  'yawRate', // rad/s
  'steeringAngle', // degrees at the wheel
  'wheelFrontLeft', // m/s
  'wheelFrontRight', // m/s
  'wheelRearLeft', // m/s
  'wheelRearRight', // m/s
  'pedal', // %
  'brakePedal', // 0 or 1
  'brakeForce', // N
  'brakePressure', // bar
  'tractiveForce', // N
  'gear', // 0 while shifting, else 1 …
  'engineSpeed', // 1/min
  'engineTorque', // Nm
  'engineLoad', // %
  'fuelRate', // l/h
  'fuelLevel', // %
  'fuelUsed', // l
  'coolantTemperature', // °C
  'oilTemperature', // °C
  'ambientTemperature', // °C
  'cabinTemperature', // °C
  'fan', // 0 or 1
  'motorSpeed', // 1/min
  'motorTorque', // Nm
  'motorTemperature', // °C
  'batteryVoltage', // V
  'batteryCurrent', // A, positive: discharging
  'batteryCharge', // %
  'batteryTemperature', // °C
  'cellVoltageMax', // V
  'cellVoltageMin', // V
  'batteryPowerLimit', // kW
  'state', // 0 off, 1 ready, 2 driving, 3 braking with energy won back
  'lowVoltage', // V
  'turnIndicator', // 0, 1 left, 2 right
  'doors', // bits
  'tyrePressure', // kPa
  'airPressure', // kPa
  'headlights', // 0 off, 1 low, 2 high
  'passengers', // people
  'boarded', // people since the start
  'alighted', // people since the start
  'brakePipe', // kPa
  'liftState', // 0 rest, 1 lifting, 2 emptying, 3 lowering, 4 unloading
  'binLevel', // %, of the bin on the lift
  'binWeight', // kg, on the lift
  'binsEmptied', // since the start
  'load', // kg of refuse
  'bodyFill', // %
] as const;

export type Quantity = (typeof names)[number];
/** Place of each in a `Float64Array`. */
export const quantity = Object.fromEntries(names.map((name, i) => [name, i])) as Record<Quantity, number>;
export const quantityCount = names.length;

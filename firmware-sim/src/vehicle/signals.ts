/** What a vehicle's sensors and ECUs know, one number each; the unit is in the comment. */
const names = [
  'speed', // m/s
  'acceleration', // m/s²
  'lateralAcceleration', // m/s²
  'yawRate', // rad/s
  'steeringAngle', // degrees at the wheel
  'steeringRate', // degrees/s
  'steeringTorque', // Nm
  'wheelFrontLeft', // km/h
  'wheelFrontRight', // km/h
  'wheelRearLeft', // km/h
  'wheelRearRight', // km/h
  'wheelPulses', // count, wraps where it is sent
  'engineSpeed', // 1/min
  'engineTorque', // Nm
  'throttle', // %
  'pedal', // %
  'brakePressure', // bar
  'brakeSwitch', // 0 or 1
  'gear', // 1 … 6
  'gearboxSpeed', // 1/min
  'gearboxTemperature', // °C
  'coolantTemperature', // °C
  'oilTemperature', // °C
  'intakeTemperature', // °C
  'ambientTemperature', // °C
  'manifoldPressure', // kPa
  'airMass', // g/s
  'lambda',
  'fuelRate', // l/h
  'fuelLevel', // %
  'batteryVoltage', // V
  'batteryCurrent', // A
  'odometer', // m
  'cabinTemperature', // °C
  'fanSpeed', // 0 … 7
  'headlights', // 0 … 2
  'turnIndicator', // 0, 1 left, 2 right
  'wipers', // 0 … 3
  'doors', // bits
  'tyrePressure', // kPa
  'distanceAhead', // m to the vehicle in front
  'cruiseTarget', // km/h, 0 when off
  'laneOffset', // m
  'uptime', // s
] as const;

export type SignalName = (typeof names)[number];

/** Place of each signal in `Drive.signals`. */
export const signalIndex = Object.fromEntries(names.map((name, index) => [name, index])) as Record<
  SignalName,
  number
>;

export const signalCount = names.length;

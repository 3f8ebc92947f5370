import type { RawKind } from '../dbc/model.js';

/** A value in the data of a parameter; names as SAE J1979 abbreviates them. */
export interface PidValue {
  name: string;
  /** Highest bit: 7 of byte A is 7, of byte B 15. */
  startBit: number;
  length: number;
  raw: RawKind;
  factor: number;
  offset: number;
  unit: string;
  comment: string;
  labels?: ReadonlyMap<number, string>;
}

interface Pid {
  pid: number;
  bytes: number;
  values: PidValue[];
}

type Scale = readonly [factor: number, offset?: number, unit?: string];

/** A number of whole bytes from `byte` on (0 is A). */
const number = (
  name: string,
  comment: string,
  [factor, offset = 0, unit = '']: Scale,
  { byte = 0, bytes = 1, raw = 'unsigned' as RawKind } = {},
): PidValue => ({ name, startBit: 8 * byte + 7, length: 8 * bytes, raw, factor, offset, unit, comment });

const bit = (name: string, byte: number, place: number, labels?: PidValue['labels']): PidValue => ({
  name,
  startBit: 8 * byte + place,
  length: 1,
  raw: 'unsigned',
  factor: 1,
  offset: 0,
  unit: '',
  comment: '',
  ...(labels && { labels }),
});

const labelled = (name: string, comment: string, labels: PidValue['labels'], byte = 0): PidValue => ({
  ...number(name, comment, [1], { byte }),
  ...(labels && { labels }),
});

const words = (...texts: string[]): ReadonlyMap<number, string> => new Map(texts.map((text, i) => [i, text]));

const percent: Scale = [100 / 255, 0, '%'];
const trim: Scale = [100 / 128, -100, '%'];
const celsius: Scale = [1, -40, 'degC'];
const volts: Scale = [0.001, 0, 'V'];
const two = { bytes: 2 };
const behind = { byte: 2, bytes: 2 };

const ignition = words('SPARK', 'COMP');
const fuelSystem: ReadonlyMap<number, string> = new Map([
  [0, 'off'],
  [1, 'OL'],
  [2, 'CL'],
  [4, 'OL-Drive'],
  [8, 'OL-Fault'],
  [16, 'CL-Fault'],
]);
const standards = words(
  'none',
  'OBD II',
  'OBD',
  'OBD and OBD II',
  'OBD I',
  'NO OBD',
  'EOBD',
  'EOBD and OBD II',
  'EOBD and OBD',
  'EOBD, OBD and OBD II',
  'JOBD',
  'JOBD and OBD II',
  'JOBD and EOBD',
  'JOBD, EOBD and OBD II',
);
const monitors = ['CAT', 'HCAT', 'EVAP', 'AIR', 'ACRF', 'O2S', 'HTR', 'EGR'];

const oxygenVoltage = (sensor: string): PidValue[] => [
  number(`O2S${sensor}`, 'Oxygen sensor voltage', [0.005, 0, 'V']),
  number(`SHRTFT${sensor}`, 'Short term fuel trim at the oxygen sensor', trim, { byte: 1 }),
];
const ratio: Scale = [2 / 65_536, 0, ''];
const wideVoltage = (sensor: string): PidValue[] => [
  number(`LAMBDA${sensor}_VOLT`, 'Equivalence ratio', ratio, two),
  number(`O2S${sensor}_VOLT`, 'Oxygen sensor voltage', [8 / 65_535, 0, 'V'], behind),
];
const wideCurrent = (sensor: string): PidValue[] => [
  number(`LAMBDA${sensor}_CURRENT`, 'Equivalence ratio', ratio, two),
  number(`O2S${sensor}_CURRENT`, 'Oxygen sensor current', [1 / 256, -128, 'mA'], behind),
];
const sensors = ['11', '12', '13', '14', '21', '22', '23', '24'];
const bySensor = (first: number, bytes: number, values: (sensor: string) => PidValue[]): Pid[] =>
  sensors.map((sensor, i) => ({ pid: first + i, bytes, values: values(sensor) }));

/** The lists of supported parameters: 32 bits. */
const supported = (pid: number): Pid => ({ pid, bytes: 4, values: [] });

const pid = (number_: number, bytes: number, ...values: PidValue[]): Pid => ({ pid: number_, bytes, values });

/** Standard parameters of service 01 (SAE J1979, ISO 15031-5). */
export const pids: readonly Pid[] = [
  ...[0x00, 0x20, 0x40, 0x60, 0x80, 0xa0, 0xc0].map(supported),
  pid(
    0x01,
    4,
    { ...number('DTC_CNT', 'Trouble codes stored', [1]), startBit: 6, length: 7 },
    bit('MIL', 0, 7, words('off', 'on')),
    ...['MIS', 'FUEL', 'CCM'].flatMap((name, i) => [bit(`${name}_SUP`, 1, i), bit(`${name}_RDY`, 1, 4 + i)]),
    bit('CIM_SUP', 1, 3, ignition),
    ...monitors.flatMap((name, i) => [bit(`${name}_SUP`, 2, i), bit(`${name}_RDY`, 3, i)]),
  ),
  pid(0x02, 2, number('DTCFRZF', 'Trouble code that stored the freeze frame', [1], two)),
  pid(
    0x03,
    2,
    labelled('FUELSYS1', 'Fuel system 1', fuelSystem),
    labelled('FUELSYS2', 'Fuel system 2', fuelSystem, 1),
  ),
  pid(0x04, 1, number('LOAD_PCT', 'Calculated engine load', percent)),
  pid(0x05, 1, number('ECT', 'Engine coolant temperature', celsius)),
  pid(0x06, 1, number('SHRTFT1', 'Short term fuel trim, bank 1', trim)),
  pid(0x07, 1, number('LONGFT1', 'Long term fuel trim, bank 1', trim)),
  pid(0x08, 1, number('SHRTFT2', 'Short term fuel trim, bank 2', trim)),
  pid(0x09, 1, number('LONGFT2', 'Long term fuel trim, bank 2', trim)),
  pid(0x0a, 1, number('FRP_GAUGE', 'Fuel pressure, gauge', [3, 0, 'kPa'])),
  pid(0x0b, 1, number('MAP', 'Intake manifold pressure', [1, 0, 'kPa'])),
  pid(0x0c, 2, number('RPM', 'Engine speed', [0.25, 0, 'rpm'], two)),
  pid(0x0d, 1, number('VSS', 'Vehicle speed', [1, 0, 'km/h'])),
  pid(0x0e, 1, number('SPARKADV', 'Ignition timing advance', [0.5, -64, 'deg'])),
  pid(0x0f, 1, number('IAT', 'Intake air temperature', celsius)),
  pid(0x10, 2, number('MAF', 'Mass air flow', [0.01, 0, 'g/s'], two)),
  pid(0x11, 1, number('TP', 'Throttle position', percent)),
  pid(0x12, 1, number('AIR_STAT', 'Secondary air status', [1])),
  pid(0x13, 1, ...sensors.map((sensor, i) => bit(`O2S${sensor}_EXISTS`, 0, i))),
  ...bySensor(0x14, 2, oxygenVoltage),
  pid(0x1c, 1, labelled('OBDSUP', 'OBD requirements', standards)),
  pid(0x1d, 1, number('O2SLOC', 'Oxygen sensors present', [1])),
  pid(0x1e, 1, bit('PTO_STAT', 0, 0)),
  pid(0x1f, 2, number('RUNTM', 'Time since engine start', [1, 0, 's'], two)),
  pid(0x21, 2, number('MIL_DIST', 'Distance with the lamp on', [1, 0, 'km'], two)),
  pid(0x22, 2, number('FRP', 'Fuel rail pressure relative to manifold', [0.079, 0, 'kPa'], two)),
  pid(0x23, 2, number('FRP_RAIL', 'Fuel rail pressure', [10, 0, 'kPa'], two)),
  ...bySensor(0x24, 4, wideVoltage),
  pid(0x2c, 1, number('EGR_PCT', 'Commanded exhaust gas recirculation', percent)),
  pid(0x2d, 1, number('EGR_ERR', 'Exhaust gas recirculation error', trim)),
  pid(0x2e, 1, number('EVAP_PCT', 'Commanded evaporative purge', percent)),
  pid(0x2f, 1, number('FLI', 'Fuel level', percent)),
  pid(0x30, 1, number('WARM_UPS', 'Warm-ups since codes were cleared', [1])),
  pid(0x31, 2, number('CLR_DIST', 'Distance since codes were cleared', [1, 0, 'km'], two)),
  pid(
    0x32,
    2,
    number('EVAP_VP', 'Evaporative system vapour pressure', [0.25, 0, 'Pa'], { ...two, raw: 'signed' }),
  ),
  pid(0x33, 1, number('BARO', 'Barometric pressure', [1, 0, 'kPa'])),
  ...bySensor(0x34, 4, wideCurrent),
  ...['11', '21', '12', '22'].map((place, i) =>
    pid(0x3c + i, 2, number(`CATEMP${place}`, 'Catalyst temperature', [0.1, -40, 'degC'], two)),
  ),
  pid(
    0x41,
    4,
    ...['MIS', 'FUEL', 'CCM'].flatMap((name, i) => [bit(`${name}_ENA`, 1, i), bit(`${name}_CMPL`, 1, 4 + i)]),
    bit('CIM_SUP_FLAG', 1, 3, ignition),
    ...monitors.flatMap((name, i) => {
      const complete = name.length === 4 ? `${name}CMPL` : `${name}_CMPL`;
      return [bit(`${name}_ENA`, 2, i), bit(complete, 3, i)];
    }),
  ),
  pid(0x42, 2, number('VPWR', 'Control module voltage', volts, two)),
  pid(0x43, 2, number('LOAD_ABS', 'Absolute load', [100 / 255, 0, '%'], two)),
  pid(0x44, 2, number('EQ_RAT', 'Commanded equivalence ratio', ratio, two)),
  pid(0x45, 1, number('TP_R', 'Relative throttle position', percent)),
  pid(0x46, 1, number('AAT', 'Ambient air temperature', celsius)),
  pid(0x47, 1, number('TP_B', 'Throttle position B', percent)),
  pid(0x48, 1, number('TP_C', 'Throttle position C', percent)),
  pid(0x49, 1, number('APP_D', 'Accelerator pedal position D', percent)),
  pid(0x4a, 1, number('APP_E', 'Accelerator pedal position E', percent)),
  pid(0x4b, 1, number('APP_F', 'Accelerator pedal position F', percent)),
  pid(0x4c, 1, number('TAC_PCT', 'Commanded throttle actuator', percent)),
  pid(0x4d, 2, number('MIL_TIME', 'Time with the lamp on', [1, 0, 'min'], two)),
  pid(0x4e, 2, number('CLR_TIME', 'Time since codes were cleared', [1, 0, 'min'], two)),
  pid(0x4f, 4),
  pid(0x50, 4),
  pid(0x51, 1, number('FUEL_TYP', 'Fuel type', [1])),
  pid(0x52, 1, number('ALCH_PCT', 'Ethanol in the fuel', percent)),
  pid(0x53, 2, number('EVAP_VPA', 'Absolute vapour pressure', [0.005, 0, 'kPa'], two)),
  pid(0x54, 2, number('EVAP_VP_WIDE', 'Vapour pressure', [1, 0, 'Pa'], { ...two, raw: 'signed' })),
  pid(0x59, 2, number('FRP_ABS', 'Absolute fuel rail pressure', [10, 0, 'kPa'], two)),
  pid(0x5a, 1, number('APP_R', 'Relative accelerator pedal position', percent)),
  pid(0x5b, 1, number('BAT_PWR', 'Hybrid battery remaining life', percent)),
  pid(0x5c, 1, number('EOT', 'Engine oil temperature', celsius)),
  pid(0x5d, 2, number('FUEL_TIMING', 'Fuel injection timing', [1 / 128, -210, 'deg'], two)),
  pid(0x5e, 2, number('FUEL_RATE', 'Engine fuel rate', [0.05, 0, 'l/h'], two)),
  pid(0x61, 1, number('TQ_DD', "Driver's demand torque", [1, -125, '%'])),
  pid(0x62, 1, number('TQ_ACT', 'Actual torque', [1, -125, '%'])),
  pid(0x63, 2, number('TQ_REF', 'Reference torque', [1, 0, 'Nm'], two)),
  pid(0xa6, 4, number('ODO', 'Odometer', [0.1, 0, 'km'], { bytes: 4 })),
];

const bytesByPid = new Map(pids.map(({ pid: number_, bytes }) => [number_, bytes]));

/** Data bytes of a parameter; undefined where it isn't known. */
export const dataBytesOf = (number_: number): number | undefined => bytesByPid.get(number_);

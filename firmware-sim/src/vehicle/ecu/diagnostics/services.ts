import { ObdParameters } from './parameters.js';
import { status, STATUS_MASK, TroubleMemory } from './trouble.js';

/* ISO 14229-1: why a request is refused */
const SERVICE_UNKNOWN = 0x11;
const SUBFUNCTION_UNKNOWN = 0x12;
const LENGTH_WRONG = 0x13;
const OUT_OF_RANGE = 0x31;
const NEGATIVE = 0x7f;
const ANSWER = 0x40;
const SUPPRESS = 0x80;

/* Identifiers of ISO 14229-1, annex C */
const DID_VIN = 0xf190;
const DID_SERIAL = 0xf18c;
const DID_SOFTWARE = 0xf189;
/** 0xF4xx: the parameters of service 01. */
const DID_PARAMETERS = 0xf400;
/** Session: default or extended; then P2 (50 ms) and P2* (in 10 ms: 5 s). */
const SESSION_TIMES = [0x00, 0x32, 0x01, 0xf4];
const DTC_COUNT = 0x01;
const DTC_LIST = 0x02;
/** SAE J2012-DA's format of codes. */
const DTC_FORMAT = 0x00;

type Reply = readonly number[] | Uint8Array;

export interface DiagnosedVehicle {
  seed: number;
  /** By `quantity`. */
  values: Float64Array;
  vin: string;
}

/**
 * What a control unit for engine or drive answers: OBD-II services 01, 03, 04, 07, 09 and 0A (SAE J1979), and of UDS
 * (ISO 14229-1) sessions, ReadDTCInformation, ClearDiagnosticInformation, ReadDataByIdentifier and TesterPresent.
 */
export class DiagnosticServices {
  readonly trouble: TroubleMemory;
  private readonly parameters: ObdParameters;

  constructor(private readonly vehicle: DiagnosedVehicle) {
    this.trouble = new TroubleMemory(vehicle.seed, vehicle.values);
    this.parameters = new ObdParameters(vehicle.values);
  }

  /** The answer to a request; undefined where it stays silent, as to requests for all that aren't for it. */
  answer(request: Uint8Array, isForAll: boolean): Uint8Array | undefined {
    const [service] = request;
    const reply = service < 0x10 ? this.obd(request) : this.uds(request);
    if (typeof reply !== 'number') {
      const mute = (service === 0x3e || service === 0x10) && (request[1] & SUPPRESS) !== 0;
      return reply && !mute ? Uint8Array.of(service | ANSWER, ...reply) : undefined;
    }
    const isNotForIt = reply === SERVICE_UNKNOWN || reply === SUBFUNCTION_UNKNOWN || reply === OUT_OF_RANGE;
    return isForAll && isNotForIt ? undefined : Uint8Array.of(NEGATIVE, service, reply);
  }

  /** Data, a reason why not, or undefined: silence, which is OBD-II's way of saying so. */
  private obd(request: Uint8Array): Reply | number | undefined {
    switch (request[0]) {
      case 0x01:
        return this.currentData(request.subarray(1));
      case 0x03:
      case 0x0a:
        return this.codes(status.confirmed);
      case 0x04:
        this.trouble.clear();
        return [];
      case 0x07:
        return this.codes(status.pending);
      case 0x09:
        return this.information(request[1]);
      default:
        return SERVICE_UNKNOWN;
    }
  }

  private currentData(pids: Uint8Array): Reply | undefined {
    const parts = [...pids].flatMap((pid) => {
      const data = this.currentParameter(pid);
      return data ? [pid, ...data] : [];
    });
    return parts.length > 0 ? parts : undefined;
  }

  private currentParameter(pid: number): Reply | undefined {
    if (pid !== 0x01) return withMonitors(pid, this.parameters.data(pid));
    // Lamp and number of codes; the three continuous monitors are there and complete.
    const count = Math.min(127, this.trouble.withStatus(status.confirmed).length);
    return [(count > 0 ? 0x80 : 0) | count, 0x07, 0, 0];
  }

  private codes(mask: number): Reply {
    const codes = this.trouble.withStatus(mask);
    return [codes.length, ...codes.flatMap(({ code }) => [code >> 8, code & 0xff])];
  }

  private information(type: number): Reply | undefined {
    if (type === 0x00) return [0x00, 0x50, 0x40, 0, 0]; // types 02, 04 and 0A
    if (type === 0x02) return [0x02, 1, ...Buffer.from(this.vehicle.vin)];
    if (type === 0x04) return [0x04, 1, ...Buffer.from('FLEETLOG-SIM-01\0')];
    return type === 0x0a ? [0x0a, 1, ...Buffer.from('PCM\0-Powertrain'.padEnd(20, '\0'))] : undefined;
  }

  private uds(request: Uint8Array): Reply | number {
    switch (request[0]) {
      case 0x10: {
        if (request.length !== 2) return LENGTH_WRONG;
        const session = request[1] & ~SUPPRESS;
        return session === 1 || session === 3 ? [session, ...SESSION_TIMES] : SUBFUNCTION_UNKNOWN;
      }
      case 0x14:
        if (request.length !== 4) return LENGTH_WRONG;
        this.trouble.clear();
        return [];
      case 0x19:
        return this.troubleReport(request);
      case 0x22:
        return this.dataByIdentifier(request);
      case 0x3e:
        if (request.length !== 2) return LENGTH_WRONG;
        return (request[1] & ~SUPPRESS) === 0 ? [0] : SUBFUNCTION_UNKNOWN;
      default:
        return SERVICE_UNKNOWN;
    }
  }

  private troubleReport([, subfunction, mask, ...more]: Uint8Array): Reply | number {
    if (subfunction !== DTC_COUNT && subfunction !== DTC_LIST) return SUBFUNCTION_UNKNOWN;
    if (mask === undefined || more.length > 0) return LENGTH_WRONG;
    const codes = this.trouble.withStatus(mask);
    if (subfunction === DTC_COUNT) {
      return [DTC_COUNT, STATUS_MASK, DTC_FORMAT, codes.length >> 8, codes.length & 0xff];
    }
    const list = codes.flatMap(({ code, failure, status: bits }) => [code >> 8, code & 0xff, failure, bits]);
    return [DTC_LIST, STATUS_MASK, ...list];
  }

  private dataByIdentifier(request: Uint8Array): Reply | number {
    if (request.length < 3 || request.length % 2 === 0) return LENGTH_WRONG;
    const parts: number[] = [];
    for (let at = 1; at < request.length; at += 2) {
      const data = this.identified((request[at] << 8) | request[at + 1]);
      if (data) parts.push(request[at], request[at + 1], ...data);
    }
    return parts.length > 0 ? parts : OUT_OF_RANGE;
  }

  private identified(identifier: number): Reply | undefined {
    if (identifier === DID_VIN) return Buffer.from(this.vehicle.vin);
    if (identifier === DID_SERIAL) return Buffer.from(String(this.vehicle.seed).padStart(10, '0'));
    if (identifier === DID_SOFTWARE) return Buffer.from('SIM-1.0.0');
    const isParameter = (identifier & 0xff00) === DID_PARAMETERS;
    return isParameter ? this.currentParameter(identifier & 0xff) : undefined;
  }
}

/** Parameter 01, of the trouble codes, is in the first list. */
function withMonitors(pid: number, data: Uint8Array | undefined): Uint8Array | undefined {
  if (pid === 0 && data) data[0] |= 0x80;
  return data;
}

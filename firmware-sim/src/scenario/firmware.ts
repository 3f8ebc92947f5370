import { checkConfig, Duration, durationMs, readYaml } from '@fleetlog/shared/config';
import { FleetlogError } from '@fleetlog/shared/errors';
import { Type, type Static } from '@fleetlog/shared/schema';
import type { Firmware } from '../vehicle/firmware.js';
import { physicalKindOf } from '../vehicle/kinds.js';

const closed = { additionalProperties: false };

/** How the electronics of a vehicle behave; `scenarios/README.md` explains it. */
export const FirmwareSchema = Type.Object(
  {
    diagnostics: Type.Optional(
      Duration('A tester asks the control unit for OBD-II and UDS that often; default: none does'),
    ),
  },
  { ...closed, description: 'How its electronics behave, for vehicles with physics' },
);

/** A checked `firmware` of a kind of vehicle, spelled out. Errors: FLEETLOG_CONFIG with the path of the key. */
export function planFirmware(
  { diagnostics }: Static<typeof FirmwareSchema>,
  kind: string,
  key: string,
  source: string,
): Firmware {
  const refused = (what: string): FleetlogError =>
    new FleetlogError('FLEETLOG_CONFIG', `${source}: "${key}${what}.`);
  if (!physicalKindOf(kind)) throw refused(`" needs a vehicle with physics, which a ${kind} vehicle hasn't`);
  const us = (text: string): number => Math.round(durationMs(text) * 1000);
  if (diagnostics !== undefined && us(diagnostics) < DIAGNOSTICS_US_MIN) {
    throw refused('.diagnostics" must be at least 1s');
  }
  return { ...(diagnostics !== undefined && { diagnosticsUs: us(diagnostics) }) };
}

/** A file with the keys of `firmware` alone. Errors: FLEETLOG_CONFIG. */
export const loadFirmware = (path: string, kind: string): Firmware =>
  planFirmware(checkConfig(FirmwareSchema, readYaml(path), path), kind, 'firmware', path);

const DIAGNOSTICS_US_MIN = 1e6;

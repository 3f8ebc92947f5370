import { candumpText } from './can-bus.js';
import { nmeaText } from './gps.js';

/** What a stream of a vehicle is made of. */
export interface SpeechOptions {
  seed: number;
  /** Time of the drive's start, µs since the Unix epoch. */
  startUs: number;
  durationUs: number;
  fixRateHz: number;
}

/** One thing in a vehicle that speaks, and how a gateway hears it. */
export interface VehicleStream {
  stream: string;
  format: 'candump' | 'lines';
  /** All that it says in a drive, in chunks of whole lines. A pure function of the options. */
  speak: (options: SpeechOptions) => Iterable<Uint8Array | string>;
}

interface VehicleKind {
  description: string;
  streams: readonly VehicleStream[];
}

const gps: VehicleStream = { stream: 'gps0', format: 'lines', speak: nmeaText };

const kinds: Record<string, VehicleKind> = {
  generic: {
    description: 'the vehicle of `fleetlog-sim drive`: 51 messages in 11-bit identifiers, no database',
    streams: [{ stream: 'can0', format: 'candump', speak: candumpText }, gps],
  },
};

export const kindNames = Object.keys(kinds);

/** What a kind of vehicle has on board. */
export const streamsOf = (kind: string): readonly VehicleStream[] => kinds[kind].streams;

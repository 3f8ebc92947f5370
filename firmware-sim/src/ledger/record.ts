import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import type { PlannedVehicle } from '../scenario/load.js';
import type { SpeechOptions, VehicleStream } from '../vehicle/kinds.js';
import { linesOf, MinuteDigest, minutesOf } from './minutes.js';
import type { StreamEntry } from './ledger.js';

type SpokenAs = Pick<
  PlannedVehicle,
  'seed' | 'fixRateHz' | 'tunnels' | 'firmware' | 'failing' | 'driving' | 'trip'
>;

/** What one stream of a vehicle says, again and again the same. `startUs`, `durationUs`: of the scenario. */
export const speechOf = (
  { seed, fixRateHz, tunnels, firmware, failing, driving, trip }: SpokenAs,
  startUs: number,
  durationUs: number,
): SpeechOptions => ({
  seed,
  fixRateHz,
  startUs: startUs + (trip?.departsUs ?? 0),
  durationUs: trip?.lastsUs ?? durationUs,
  ...(tunnels && { tunnels }),
  ...(firmware && { firmware }),
  ...(failing && { failing }),
  ...(driving && { driving }),
});

/** Writes what a stream says into a file, and sums it up for the ledger. Memory doesn't depend on its length. */
export async function recordStream(
  vehicle: PlannedVehicle,
  { stream, format, speak }: VehicleStream,
  options: SpeechOptions,
  path: string,
): Promise<StreamEntry> {
  const minuteOf = minutesOf(format, options.startUs);
  const digest = new MinuteDigest();
  const file = createWriteStream(path);
  const written = finished(file);
  written.catch(() => undefined); // awaited below
  for (const chunk of speak(options)) {
    for (const line of linesOf([chunk])) digest.take(minuteOf(line), line);
    if (!file.write(chunk)) await Promise.race([once(file, 'drain'), written]);
  }
  file.end();
  await written;
  const { gateway, kind, seed, fixRateHz, tunnels, firmware, failing, driving, trip } = vehicle;
  const minutes = digest
    .finish()
    .map(({ minute, records, hash }): StreamEntry['minutes'][number] => [minute, records, hash]);
  const made = {
    kind,
    seed,
    fixRateHz,
    ...(tunnels && { tunnels }),
    ...(firmware && { firmware }),
    ...(failing && { failing }),
    ...(driving && { driving }),
    ...(trip && { trip }),
  };
  return { gateway, stream, format, ...made, records: digest.records, minutes };
}

import { ledgerHash, type StreamEntry } from '../ledger/ledger.js';
import { recordStream, speechOf } from '../ledger/record.js';
import type { FleetPlan } from '../scenario/load.js';
import { streamsOf } from '../vehicle/kinds.js';

/** What a fleet says in virtual time, without keeping any of it. */
export async function ledgerOf({
  vehicles,
  virtualStartUs,
  durationUs,
}: FleetPlan): Promise<{ hash: string; records: number }> {
  const entries: StreamEntry[] = [];
  for (const vehicle of vehicles) {
    const speech = speechOf(vehicle, virtualStartUs, durationUs);
    for (const speaker of streamsOf(vehicle.kind)) {
      entries.push(await recordStream(vehicle, speaker, speech, '/dev/null'));
    }
  }
  return { hash: ledgerHash(entries), records: entries.reduce((sum, { records }) => sum + records, 0) };
}

import type { Fleet, GatewayPresence, HeldSequences, IngestCounters } from '#cloud/ingest/fleet.js';

/** Says of the fleet what the test says. */
export class FakeFleet implements Fleet {
  sequences: HeldSequences[] = [];
  gateways: GatewayPresence[] = [];
  counters: IngestCounters = { batches: 0, records: 0, bytes: 0, duplicates: 0, putOff: 0, refused: {} };

  async *held(filter: { gateway?: string; stream?: string } = {}): AsyncIterable<HeldSequences> {
    for (const entry of this.sequences) {
      if (filter.gateway !== undefined && filter.gateway !== entry.gateway) continue;
      if (filter.stream !== undefined && filter.stream !== entry.stream) continue;
      yield entry;
    }
  }

  presence(): GatewayPresence[] {
    return this.gateways;
  }
}

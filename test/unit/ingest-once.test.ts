import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeBatch } from '@fleetlog/shared/batch';
import { FleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import { openRocksDb } from '@fleetlog/shared/store';
import { RangeSet, systemClock } from '@fleetlog/shared/util';
import { Ingest } from '#cloud/ingest/ingest.js';
import type { Log } from '#cloud/log/log.js';
import { logOver } from '#cloud/log/rocksdb-log.js';
import { AckRecorder } from '../support/ack-recorder.js';
import { all } from '../support/collect.js';
import { FaultyStore } from '../support/faulty-store.js';
import { canBatch, gapBatch } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const gateway = 'truck-17';
const sequences = 24;

const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ send: fc.nat({ max: sequences - 1 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ giveUp: fc.nat({ max: sequences - 1 }), count: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 3, arbitrary: fc.constant({ settle: true as const }) },
  { weight: 1, arbitrary: fc.constant({ crash: true as const }) },
  { weight: 1, arbitrary: fc.constant({ stop: true as const }) },
);

/** A cloud's write side without the broker, which can be killed at any moment. */
class WriteSide {
  readonly recorder = new AckRecorder();

  private constructor(
    readonly log: Log,
    readonly ingest: Ingest,
    private readonly store: FaultyStore,
  ) {
    ingest.start(this.recorder);
  }

  static async open(path: string): Promise<WriteSide> {
    const store = new FaultyStore(await openRocksDb({ path, purpose: 'data folder' }));
    const parts = { logger: silentLogger, clock: systemClock };
    const log = await logOver(store, { partitions: 1, ...parts });
    const ingest = await Ingest.open({ log, ...parts, queue: { messagesMax: 1000, bytesMax: 1e6 } });
    return new WriteSide(log, ingest, store);
  }

  async stop(): Promise<void> {
    await this.ingest[Symbol.asyncDispose]();
    await this.log[Symbol.asyncDispose]();
  }

  /** Nothing reaches the disk from now on, and nothing that waits is committed. */
  async crash(): Promise<void> {
    this.store.failWrite = new FleetlogError('FLEETLOG_STORE', 'killed');
    // The loop of a process that is gone reports nothing either.
    this.recorder.acknowledge = () => undefined;
    await this.stop();
  }
}

describe('ingest', () => {
  it('has each sequence in the log once, whatever comes in whatever order between whatever crashes', async function () {
    this.timeout(120_000);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        await using folder = await tempFolder('once');
        let side = await WriteSide.open(folder.path);
        const acknowledged = new RangeSet();
        const note = (): void => {
          for (const { ack } of side.recorder.acks) {
            for (const [first, last] of RangeSet.fromFlat(ack.streams.can0.held))
              acknowledged.add(first, last);
          }
          side.recorder.acks.length = 0;
        };
        try {
          const send = (sequence: number): void =>
            side.ingest.batch(gateway, 'can0', canBatch([1000 + sequence], { gateway, sequence }, sequence));
          for (const action of steps) {
            if ('send' in action) {
              send(action.send);
            } else if ('giveUp' in action) {
              const last = action.giveUp + action.count - 1;
              side.ingest.batch(gateway, 'can0', gapBatch(action.giveUp, last, 'expired', { gateway }));
            } else if ('settle' in action) {
              const { counters } = side.ingest;
              const before = side.recorder.acks.length + counters.batches;
              send(0);
              await until('it settles', () => side.recorder.acks.length + counters.batches > before);
            } else {
              note();
              await ('crash' in action ? side.crash() : side.stop());
              note();
              side = await WriteSide.open(folder.path);
            }
          }
          for (let sequence = 0; sequence < sequences; sequence++) send(sequence);
          await side.ingest[Symbol.asyncDispose]();
          note();

          const held = (await all(side.ingest.held()))[0].held;
          assert.ok(held.covers(0, sequences - 1), 'all is held');
          for (const [first, last] of acknowledged) {
            assert.ok(held.covers(first, last), `acknowledged ${first}-${last}`);
          }
          const inLog = new RangeSet();
          const explained = new RangeSet();
          for (const { bytes } of await all(side.log.read(0, 0))) {
            const { sequence, lastSequence, codec } = decodeBatch(bytes).header;
            if (codec === 'gap-1') explained.add(sequence, lastSequence);
            else assert.equal(inLog.add(sequence), 1, `batch ${sequence} is in the log twice`);
          }
          for (const [first, last] of inLog) explained.add(first, last);
          assert.deepEqual(explained.toFlat(), held.toFlat(), 'held is batches and gap records');
        } finally {
          await side.stop();
        }
      }),
      { numRuns: 60 },
    );
  });
});

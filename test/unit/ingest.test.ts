import assert from 'node:assert/strict';
import { FleetlogError } from '@fleetlog/shared/errors';
import { decodeBatch, limits, type BatchHeader } from '@fleetlog/shared/batch';
import { silentLogger } from '@fleetlog/shared/log';
import { openRocksDb } from '@fleetlog/shared/store';
import { encodeMessage, type GatewayStatus } from '@fleetlog/shared/topics';
import { RangeSet, systemClock } from '@fleetlog/shared/util';
import { Acks } from '#cloud/ingest/acks.js';
import { heldLimits, type HeldLimits } from '#cloud/ingest/held.js';
import { Ingest } from '#cloud/ingest/ingest.js';
import { nameLimits, type NameLimits } from '#cloud/ingest/new-streams.js';
import type { Log } from '#cloud/log/log.js';
import { logOver } from '#cloud/log/rocksdb-log.js';
import { AckRecorder } from '../support/ack-recorder.js';
import { repairChecksum } from '../support/batches.js';
import { all } from '../support/collect.js';
import { FakeClock } from '../support/fake-clock.js';
import { FaultyStore } from '../support/faulty-store.js';
import { captureLog } from '../support/log-capture.js';
import { canBatch, gapBatch } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const gateway = 'truck-17';
const batch = (sequence: number, changes: Partial<BatchHeader> = {}): Uint8Array =>
  canBatch([1_000_000 + sequence], { gateway, sequence, ...changes }, sequence);
const gap = (first: number, last: number): Uint8Array => gapBatch(first, last, 'buffer-full', { gateway });

/** A batch of a version that this software doesn't know. */
function futureBatch(sequence: number): Uint8Array {
  const bytes = Buffer.from(batch(sequence));
  assert.deepEqual([bytes[2], bytes[3]], [0, 1], 'the first field is the version');
  bytes[3] = 9;
  return repairChecksum(bytes);
}

const status: GatewayStatus = {
  connected: true,
  epoch: '0011223344556677',
  version: '1.0',
  timeUs: 1,
  streams: { can0: { kind: 'can', first: 3, next: 9, bytes: 5000, discarded: 0 } },
};

describe('ingest', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let store: FaultyStore;
  let log: Log;
  let ingest: Ingest;
  let recorder: AckRecorder;
  const logger = captureLog();

  const start = async (
    options: {
      messagesMax?: number;
      bytesMax?: number;
      held?: HeldLimits;
      names?: NameLimits;
      clock?: FakeClock;
    } = {},
  ): Promise<void> => {
    const {
      messagesMax = 1000,
      bytesMax = 1e6,
      held = heldLimits,
      names = nameLimits,
      clock = systemClock,
    } = options;
    store = new FaultyStore(await openRocksDb({ path: folder.path, purpose: 'data folder' }));
    log = await logOver(store, { partitions: 2, logger: silentLogger, clock: systemClock });
    ingest = await Ingest.open({ log, logger, clock, queue: { messagesMax, bytesMax }, held, names });
    recorder = new AckRecorder();
    ingest.start(recorder);
  };
  const stop = async (): Promise<void> => {
    await ingest[Symbol.asyncDispose]();
    await log[Symbol.asyncDispose]();
  };
  const restart = async (): Promise<void> => {
    await stop();
    await start();
  };
  const heldOf = (stream = 'can0'): number[] => recorder.last(gateway, stream)?.held ?? [];
  const acknowledged = (held: number[]): Promise<unknown> =>
    until(`held ${held.join()}`, () => String(heldOf()) === String(held));
  const sequencesInLog = async (): Promise<string[]> => {
    const entries = await all(log.read(log.partitionOf(gateway), 0));
    return entries.map(({ bytes }) => {
      const { sequence, lastSequence } = decodeBatch(bytes).header;
      return sequence === lastSequence ? String(sequence) : `${sequence}-${lastSequence}`;
    });
  };

  beforeEach(async () => {
    folder = await tempFolder('ingest');
    logger.entries.length = 0;
    await start();
  });
  afterEach(async () => {
    await stop();
    await folder[Symbol.asyncDispose]();
  });

  it('takes each batch once, however often and in whatever order it comes', async () => {
    for (const sequence of [0, 1, 1, 5, 4, 5, 0, 2, 4]) ingest.batch(gateway, 'can0', batch(sequence));
    await acknowledged([0, 2, 4, 5]);
    assert.deepEqual(await sequencesInLog(), ['0', '1', '5', '4', '2']);
    assert.equal(ingest.counters.batches, 5);
    assert.equal(ingest.counters.records, 5);
    assert.equal(ingest.counters.duplicates, 4);
    assert.deepEqual(ingest.counters.refused, {});
  });

  it('knows after a restart what it took before', async () => {
    for (const sequence of [0, 1, 3]) ingest.batch(gateway, 'can0', batch(sequence));
    await acknowledged([0, 1, 3, 3]);
    await restart();
    for (const sequence of [1, 3, 2]) ingest.batch(gateway, 'can0', batch(sequence));
    await acknowledged([0, 3]);
    assert.deepEqual(await sequencesInLog(), ['0', '1', '3', '2']);
    assert.deepEqual(
      (await all(ingest.held())).map((one) => ({ ...one, held: one.held.toFlat() })),
      [
        {
          gateway,
          epoch: '0011223344556677',
          stream: 'can0',
          held: [0, 3],
          trimmed: undefined,
          announcedNext: undefined,
          restored: undefined,
        },
      ],
    );
  });

  it('a duplicate alone is acknowledged again without a write', async () => {
    ingest.batch(gateway, 'can0', batch(0));
    await acknowledged([0, 0]);
    const { writes } = store;
    recorder.acks.length = 0;
    ingest.batch(gateway, 'can0', batch(0));
    await acknowledged([0, 0]);
    assert.equal(store.writes, writes);
  });

  it('epochs and streams are counted apart; one acknowledgement for each epoch of a commit', async () => {
    let release = (): void => undefined;
    store.holdSync = new Promise((resolve) => (release = resolve));
    ingest.batch(gateway, 'can0', batch(0)); // is under way while the others come
    await until('it is under way', () => store.writes > 1);
    ingest.batch(gateway, 'can0', batch(0, { epoch: 'ffffffffffffffff' }));
    ingest.batch(gateway, 'can1', batch(0, { stream: 'can1' }));
    ingest.batch(gateway, 'can0', batch(1));
    store.holdSync = undefined;
    release();
    await until('all are acknowledged', () => recorder.acks.length >= 3);
    assert.deepEqual(
      recorder.acks.map(({ ack }) => [
        ack.epoch,
        Object.fromEntries(Object.entries(ack.streams).map(([s, { held }]) => [s, held])),
      ]),
      [
        ['0011223344556677', { can0: [0, 0] }],
        ['ffffffffffffffff', { can0: [0, 0] }],
        ['0011223344556677', { can1: [0, 0], can0: [0, 1] }],
      ],
    );
  });

  it('a gap record stands for its range; one that the log holds in part explains the rest', async () => {
    for (const sequence of [0, 1, 6]) ingest.batch(gateway, 'can0', batch(sequence));
    ingest.batch(gateway, 'can0', gap(1, 4));
    await acknowledged([0, 4, 6, 6]);
    ingest.batch(gateway, 'can0', gap(2, 3)); // all of it is held
    ingest.batch(gateway, 'can0', batch(3)); // given up before it came
    ingest.batch(gateway, 'can0', batch(5));
    await acknowledged([0, 6]);
    assert.deepEqual(await sequencesInLog(), ['0', '1', '6', '1-4', '5']);
    assert.equal(ingest.counters.duplicates, 2);
    assert.equal(ingest.counters.records, 4, 'records given up are not records');
  });

  it('takes a stream whatever it is called', async () => {
    for (const stream of ['constructor', '0', 'a-_9']) {
      ingest.batch(gateway, stream, batch(0, { stream }));
      await until('it is held', () => heldOf(stream).length > 0);
      assert.deepEqual(heldOf(stream), [0, 0]);
    }
  });

  it('acknowledges only what is durable', async () => {
    let release = (): void => undefined;
    store.holdSync = new Promise((resolve) => (release = resolve));
    const { writes, syncs } = store;
    ingest.batch(gateway, 'can0', batch(0));
    await until('it is written', () => store.writes > writes && store.syncs > syncs);
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    assert.deepEqual(recorder.acks, []);
    release();
    await acknowledged([0, 0]);
  });

  it('what arrives during a commit goes into the next one, together', async () => {
    let release = (): void => undefined;
    store.holdSync = new Promise((resolve) => (release = resolve));
    const { writes } = store;
    ingest.batch(gateway, 'can0', batch(0));
    await until('it is written', () => store.writes > writes);
    for (let sequence = 1; sequence < 50; sequence++) ingest.batch(gateway, 'can0', batch(sequence));
    store.holdSync = undefined;
    release();
    await acknowledged([0, 49]);
    assert.equal(store.writes, writes + 2);
    assert.equal(recorder.acks.length, 2);
  });

  it('a full disk stops acknowledgements, not the process; it goes on when there is space', async () => {
    store.failWrite = new FleetlogError('FLEETLOG_STORE_FULL', 'No space left.');
    for (const sequence of [0, 1]) ingest.batch(gateway, 'can0', batch(sequence));
    await until('it was tried twice', () => logger.entries.length >= 2);
    ingest.batch(gateway, 'can0', batch(1)); // sent again meanwhile
    assert.deepEqual(recorder.acks, []);
    store.failWrite = undefined;
    await acknowledged([0, 1]);
    assert.deepEqual(await sequencesInLog(), ['0', '1']);
    assert.match(logger.entries[0].message, /No space left.*trying again/);
  });

  it('a barrier that fails for a while costs no batch and makes none twice', async () => {
    store.failSync = new FleetlogError('FLEETLOG_SYNC', 'Sync failed.');
    const { syncs } = store;
    for (const sequence of [0, 1]) ingest.batch(gateway, 'can0', batch(sequence));
    await until('it was tried again', () => store.syncs >= syncs + 2);
    assert.deepEqual(recorder.acks, []);
    store.failSync = undefined;
    await acknowledged([0, 1]);
    await restart();
    for (const sequence of [0, 1]) ingest.batch(gateway, 'can0', batch(sequence));
    await acknowledged([0, 1]);
    assert.deepEqual(await sequencesInLog(), ['0', '1']);
  });

  describe('refuses and counts', () => {
    const damaged = (bytes: Uint8Array): Uint8Array => {
      const copy = Buffer.from(bytes);
      copy[copy.length >> 1] ^= 1;
      return copy;
    };
    const cases: {
      title: string;
      code: string;
      stream?: string;
      bytes: () => Uint8Array;
      /** Sequence that the gateway is told to put aside. */
      told?: number;
    }[] = [
      {
        title: "a batch of another gateway's",
        code: 'FLEETLOG_FOREIGN_GATEWAY',
        bytes: () => batch(3, { gateway: 'truck-18' }),
      },
      {
        title: "a batch on another stream's topic",
        code: 'FLEETLOG_TOPIC',
        stream: 'can1',
        bytes: () => batch(3),
        told: 3,
      },
      {
        title: 'a batch of a future version',
        code: 'FLEETLOG_BATCH_VERSION',
        bytes: () => futureBatch(4),
        told: 4,
      },
      {
        title: 'bytes whose checksum is wrong, which may have been the way’s fault',
        code: 'FLEETLOG_BATCH_CHECKSUM',
        bytes: () => damaged(batch(3)),
      },
      { title: 'nothing', code: 'FLEETLOG_BATCH_MALFORMED', bytes: () => Buffer.alloc(0) },
      { title: 'a text', code: 'FLEETLOG_BATCH_MALFORMED', bytes: () => Buffer.from('hello, world') },
      {
        title: 'more bytes than a batch may have',
        code: 'FLEETLOG_BATCH_LIMIT',
        bytes: () => Buffer.alloc(limits.batchBytesMax + 1),
      },
      {
        title: 'a future version of another gateway',
        code: 'FLEETLOG_BATCH_VERSION',
        bytes: () => {
          const bytes = Buffer.from(futureBatch(4));
          bytes.write('truck-99', bytes.indexOf(gateway), 'latin1');
          return repairChecksum(bytes);
        },
      },
    ];
    for (const { title, code, stream = 'can0', bytes, told } of cases) {
      it(title, async () => {
        ingest.batch(gateway, 'can0', batch(0));
        await acknowledged([0, 0]);
        ingest.batch(gateway, stream, bytes());
        assert.deepEqual(ingest.counters.refused, { [code]: 1 });
        ingest.batch(gateway, 'can0', batch(1));
        await acknowledged([0, 1]);
        const refused = recorder.acks.flatMap(({ ack }) => ack.streams.can0?.refused ?? []);
        assert.deepEqual(
          refused.map((one) => [one.sequence, one.code]),
          told === undefined ? [] : [[told, code]],
        );
        assert.deepEqual(await sequencesInLog(), ['0', '1']);
        assert.ok(logger.entries.some(({ facts }) => facts.code === code));
      });
    }

    it('a thousand of them with a line or two in the log', () => {
      for (let i = 0; i < 1000; i++) ingest.batch(gateway, 'can0', Buffer.from('hello, world'));
      assert.deepEqual(ingest.counters.refused, { FLEETLOG_BATCH_MALFORMED: 1000 });
      assert.ok(logger.entries.length <= 2);
    });
  });

  describe('keeps to its limits', () => {
    it('takes nothing more while the queue is full, and says when there is room', async () => {
      await stop();
      await start({ messagesMax: 10 });
      let release = (): void => undefined;
      store.holdSync = new Promise((resolve) => (release = resolve));
      for (let sequence = 0; sequence < 9; sequence++) ingest.batch(gateway, 'can0', batch(sequence));
      assert.equal(ingest.takes, true);
      ingest.batch(gateway, 'can0', batch(9));
      assert.equal(ingest.takes, false);
      ingest.batch(gateway, 'can0', batch(10)); // was read already: it isn't thrown away
      const readable = ingest.readable.wait();
      release();
      await readable;
      assert.equal(ingest.takes, true);
      await acknowledged([0, 10]);
    });

    it('counts bytes as well', async () => {
      await stop();
      await start({ bytesMax: 10_000 });
      store.holdSync = new Promise(() => undefined);
      let count = 0;
      for (; ingest.takes; count++) ingest.batch(gateway, 'can0', batch(count));
      assert.ok(count > 5 && count < 20, `${count} batches of about 600 bytes`);
      store.holdSync = undefined;
    });

    it('with a disk that hangs it reads on and puts messages off, so that connections live', async () => {
      await stop();
      const clock = new FakeClock();
      await start({ messagesMax: 5, clock });
      let release = (): void => undefined;
      store.holdSync = new Promise((resolve) => (release = resolve));
      const readable = ingest.readable.wait();
      for (let sequence = 0; sequence < 5; sequence++) ingest.batch(gateway, 'can0', batch(sequence));
      await readable; // by the clock: the disk hangs on
      assert.equal(ingest.takes, true);
      for (let sequence = 5; sequence < 8; sequence++) ingest.batch(gateway, 'can0', batch(sequence));
      assert.equal(ingest.counters.putOff, 3);
      release();
      await acknowledged([0, 4]);
      ingest.batch(gateway, 'can0', batch(5));
      await acknowledged([0, 5]);
      assert.equal(ingest.counters.putOff, 3);
    });

    it('puts off a batch that would make one hole too many in its stream', async () => {
      await stop();
      await start({ held: { ...heldLimits, rangesPerStreamMax: 3 } });
      for (const sequence of [0, 2, 4, 6, 5, 8]) ingest.batch(gateway, 'can0', batch(sequence));
      await acknowledged([0, 0, 2, 2, 4, 5]);
      assert.equal(ingest.counters.putOff, 2);
      for (const sequence of [1, 3, 6]) ingest.batch(gateway, 'can0', batch(sequence));
      await acknowledged([0, 6]);
    });

    describe('of streams that a gateway begins', () => {
      const names = { newStreamsPerDay: 24, gatewaysMax: 3 };
      const epochOf = (i: number): string => i.toString(16).padStart(16, '0');
      const notes = async (): Promise<number> =>
        (await all(log.notes('held/'))).length + (await all(log.notes('announced/'))).length;
      const hour = 3_600_000;

      it('puts off batches of more epochs and streams than a day may have, and takes them later', async () => {
        await stop();
        const clock = new FakeClock();
        await start({ names, clock });
        ingest.batch(gateway, 'can0', batch(0));
        for (let i = 0; i < 60; i++) ingest.batch(gateway, 'can0', batch(0, { epoch: epochOf(i) }));
        for (let sequence = 1; sequence < 5; sequence++) ingest.batch(gateway, 'can0', batch(sequence));
        await until('all are looked at', () => ingest.counters.batches + ingest.counters.putOff === 65);
        assert.equal(ingest.counters.batches, 24 + 4, 'known ones go on');
        assert.deepEqual(ingest.counters.refused, { FLEETLOG_NAMES_LIMIT: 37 });
        assert.equal(await notes(), 24);
        assert.match(logger.entries.at(-1)?.message ?? '', /ingest\.newStreams/);
        clock.advance(3 * hour + 1);
        for (let i = 23; i < 30; i++) ingest.batch(gateway, 'can0', batch(0, { epoch: epochOf(i) }));
        await until('three more are taken', () => ingest.counters.putOff === 37 + 4);
        assert.equal(await notes(), 24 + 3);
      });

      it('keeps no more of what a gateway only speaks of, and forgets nothing of what it knew', async () => {
        await stop();
        await start({ names });
        ingest.status(gateway, encodeMessage(status));
        for (let i = 0; i < 30; i++) {
          const { can0 } = status.streams;
          const streams = Object.fromEntries(Array.from({ length: 30 }, (_, s) => [`invented${s}`, can0]));
          ingest.status(gateway, encodeMessage({ ...status, epoch: epochOf(i), streams }));
        }
        ingest.status(
          gateway,
          encodeMessage({ ...status, streams: { can0: { ...status.streams.can0, next: 12 } } }),
        );
        await until('the last is kept', async () => {
          const [said] = await all(log.notes(`announced/${gateway}/${status.epoch}/`));
          return said && Buffer.from(said.value).toString() === '12';
        });
        assert.equal(await notes(), 24);
        // The batch of a stream that was spoken of isn't one more.
        ingest.batch(gateway, 'can0', batch(0));
        await acknowledged([0, 0]);
      });

      it('lets an operator import as much as there is', async () => {
        await stop();
        await start({ names });
        for (let i = 0; i < 60; i++) ingest.batch(gateway, 'can0', batch(0, { epoch: epochOf(i) }), true);
        await until('all are taken', () => ingest.counters.batches === 60);
      });

      it('knows a limited number of gateways, and refuses a status without end', async () => {
        await stop();
        await start({ names });
        for (let i = 0; i < 9; i++) {
          const changes = { gateway: `truck-${i}` };
          ingest.batch(changes.gateway, 'can0', batch(0, changes));
        }
        await until('the first are taken', () => ingest.counters.batches === 3);
        assert.equal(ingest.presence().length, 3);
        assert.deepEqual(ingest.counters.refused, { FLEETLOG_NAMES_LIMIT: 6 });
        const streams = Object.fromEntries(
          Array.from({ length: 1025 }, (_, i) => [`invented${i}`, status.streams.can0]),
        );
        assert.equal(ingest.status('truck-0', encodeMessage({ ...status, streams })), false);
      });
    });

    it('keeps few range sets in memory, and reads the others when they are needed', async () => {
      await stop();
      await start({ held: { ...heldLimits, streamsMax: 3 } });
      const send = async (sequence: number): Promise<void> => {
        for (let i = 0; i < 10; i++) {
          ingest.batch(gateway, `can${i}`, batch(sequence, { stream: `can${i}` }));
          await until('it is acknowledged', () => heldOf(`can${i}`)[1] === sequence);
        }
      };
      await send(0);
      await send(1);
      await send(2);
      for (let i = 0; i < 10; i++) ingest.batch(gateway, `can${i}`, batch(1, { stream: `can${i}` }));
      await until('all are known', () => ingest.counters.duplicates === 10);
      assert.equal(ingest.counters.batches, 30);
    });

    it('an acknowledgement tells the lowest ranges where there are too many', async () => {
      for (let sequence = 0; sequence < 600; sequence += 2) ingest.batch(gateway, 'can0', batch(sequence));
      await until('all are acknowledged', () => ingest.counters.batches === 300 && heldOf().length > 0);
      await until('the last is told', () => heldOf().length === 512);
      assert.deepEqual(heldOf().slice(-2), [510, 510]);
    });
  });

  it('acknowledgements stay below what a gateway reads, however much there is to say', () => {
    const acks = new Acks();
    const held = new RangeSet(Array.from({ length: 400 }, (_, i) => [1e15 + 2 * i, 1e15 + 2 * i]));
    for (let i = 0; i < 200; i++) {
      const stream = { gateway, epoch: status.epoch, stream: `can${i}` };
      for (let sequence = 0; sequence < 100; sequence++) {
        acks.refused(stream, { sequence, code: 'FLEETLOG_BATCH_VERSION', reason: 'x'.repeat(150) });
      }
      acks.held(stream, held);
    }
    const told = new AckRecorder(); // reads each as a gateway would
    acks.sendTo(told);
    assert.equal(new Set(told.acks.flatMap(({ ack }) => Object.keys(ack.streams))).size, 200);
    assert.ok(told.acks.length > 1);
  });

  describe('presence', () => {
    it('is what a gateway last said, with when it was heard of', async () => {
      assert.deepEqual(ingest.presence(), []);
      assert.equal(ingest.status(gateway, encodeMessage(status)), true);
      const [presence] = ingest.presence();
      assert.equal(presence.connected, true);
      assert.deepEqual(presence.status, status);
      assert.ok(Math.abs(presence.lastSeenUs - systemClock.nowUs()) < 60e6);
      ingest.status(gateway, encodeMessage({ ...status, connected: false }));
      assert.equal(ingest.presence()[0].connected, false);
      ingest.batch(gateway, 'can0', batch(0));
      assert.equal(ingest.presence()[0].connected, true, 'a batch is a sign of life');
    });

    it('outlives a restart, but for being connected', async () => {
      ingest.status(gateway, encodeMessage(status));
      const { lastSeenUs } = ingest.presence()[0];
      await until('it is kept', () => log.note(`status/${gateway}`));
      await restart();
      assert.deepEqual(ingest.presence(), [{ gateway, connected: false, lastSeenUs, status }]);
    });

    it('of a message that makes no sense is nothing', () => {
      assert.equal(ingest.status(gateway, Buffer.from('hello')), false);
      assert.deepEqual(ingest.presence(), []);
      assert.deepEqual(ingest.counters.refused, { FLEETLOG_MESSAGE_MALFORMED: 1 });
    });
  });

  it('stopping commits and acknowledges what came before, and takes nothing after', async () => {
    for (let sequence = 0; sequence < 100; sequence++) ingest.batch(gateway, 'can0', batch(sequence));
    const stopping = ingest[Symbol.asyncDispose]();
    ingest.batch(gateway, 'can0', batch(100));
    await stopping;
    assert.deepEqual(heldOf(), [0, 99]);
  });

  it('stopping with a full disk acknowledges nothing and ends', async () => {
    store.failWrite = new FleetlogError('FLEETLOG_STORE_FULL', 'No space left.');
    ingest.batch(gateway, 'can0', batch(0));
    await ingest[Symbol.asyncDispose]();
    assert.deepEqual(recorder.acks, []);
  });
});

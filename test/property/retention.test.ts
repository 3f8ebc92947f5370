import assert from 'node:assert/strict';
import { join } from 'node:path';
import fc from 'fast-check';
import { decodeBatch, type BatchHeader } from '@fleetlog/shared/batch';
import { silentLogger } from '@fleetlog/shared/log';
import { RangeSet, systemClock } from '@fleetlog/shared/util';
import { openIndex, type Index } from '#cloud/index/index.js';
import { heldKey, heldNote, heldSequences } from '#cloud/ingest/held.js';
import { verify } from '#cloud/integrity/verify.js';
import type { Log } from '#cloud/log/log.js';
import { openLog } from '#cloud/log/rocksdb-log.js';
import type { Retention } from '#cloud/retention/retention.js';
import { checkRetention } from '#cloud/retention/rules.js';
import { all } from '../support/collect.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeFleet } from '../support/fake-fleet.js';
import { keeping } from '../support/keeping.js';
import { MemoryLog } from '../support/memory-log.js';
import { canBatch, eventBatch, gapBatch, lineBatch } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';

const gateways = ['truck-1', 'truck-2', 'van-1'];
const epochs = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb'];
const boots = ['1111111111111111', '2222222222222222'];
const secondUs = 1_000_000;
const baseUs = 1_700_000_000_000_000;
const soon = (): AbortSignal => AbortSignal.timeout(30_000);

const { rules } = checkRetention(
  {
    every: '1s',
    rules: [
      { gateway: 'van-*', stream: 'gps0', maxBytes: '900B' },
      { gateway: 'van-*' },
      { gateway: 'truck-2', maxBytes: '1500B' },
      { gateway: 'truck-*', stream: 'can*', maxAge: '20s', maxBytes: '2kB' },
      { maxAge: '40s' },
    ],
  },
  assert.fail,
);

interface Kept {
  gateway: string;
  stream: string;
  epoch: string;
  offset: number;
  receiveTimeUs: number;
  first: number;
  last: number;
  timesUs: [number, number];
  isGap: boolean;
  bytes: number;
}

interface HeldRange {
  gateway: string | undefined;
  stream: string | undefined;
  fromUs: number;
  toUs: number;
}

/** What must be kept, in the plainest words. */
class Model {
  kept: Kept[] = [];
  readonly next = new Map<string, number>();
  readonly offsets = new Map<number, number>();
  readonly holds = new Map<string, HeldRange>();

  pass(nowUs: number): void {
    const streams = new Set(this.kept.map(({ gateway, stream }) => `${gateway}/${stream}`));
    const byRule = Map.groupBy(streams, (name) => {
      const [gateway, stream] = name.split('/');
      return rules.find((rule) => rule.matches(gateway, stream));
    });
    for (const [rule, names] of byRule) {
      const data = (one: Kept): boolean =>
        one.stream !== 'events' && names.includes(`${one.gateway}/${one.stream}`);
      if (rule?.maxAgeUs !== undefined) {
        this.drop((one) => data(one) && one.receiveTimeUs < nowUs - rule.maxAgeUs!);
      }
      if (rule?.maxBytes !== undefined) {
        let bytes = 0;
        for (const one of this.kept) if (data(one) && !one.isGap) bytes += one.bytes;
        this.drop((one) => {
          if (!data(one) || bytes <= rule.maxBytes!) return false;
          if (!one.isGap) bytes -= one.bytes;
          return true;
        });
      }
    }
    for (const gateway of gateways) {
      const { maxAgeUs = 0, maxBytes } = rules.find((rule) => rule.matches(gateway, 'events')) ?? {};
      if (maxAgeUs === 0 && maxBytes === undefined) continue;
      const others = this.kept.filter((one) => one.gateway === gateway && one.stream !== 'events');
      const needed = Math.min(...others.map(({ offset }) => offset));
      if (needed === Infinity && maxAgeUs === 0) continue;
      this.drop(
        (one) =>
          one.gateway === gateway &&
          one.stream === 'events' &&
          one.offset < needed &&
          one.receiveTimeUs < nowUs - maxAgeUs,
      );
    }
  }

  private drop(isOver: (one: Kept) => boolean): void {
    this.kept = this.kept.filter((one) => !isOver(one) || this.isHeld(one));
  }

  private isHeld({ gateway, stream, timesUs: [first, last] }: Kept): boolean {
    return [...this.holds.values()].some(
      (hold) =>
        (hold.gateway ?? gateway) === gateway &&
        (hold.stream ?? stream) === stream &&
        first < hold.toUs &&
        last >= hold.fromUs,
    );
  }
}

const action = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      gateway: fc.constantFrom(...gateways),
      kind: fc.constantFrom('can', 'can', 'can', 'lines', 'events', 'gap'),
      epoch: fc.nat(1),
      boot: fc.nat(2),
      timeUs: fc.integer({ min: 0, max: 300 * secondUs }),
      lengthUs: fc.nat(90 * secondUs),
      waitMs: fc.nat(4000),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), waitMs: fc.nat(15_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('hold' as const),
      gateway: fc.option(fc.constantFrom(...gateways), { nil: undefined }),
      stream: fc.option(fc.constantFrom('can0', 'gps0'), { nil: undefined }),
      fromUs: fc.integer({ min: 0, max: 300 * secondUs }),
      lengthUs: fc.integer({ min: 1, max: 60 * secondUs }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), which: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

/** A log, its index and retention, which can be closed and opened again; beside them what must come out. */
class Kit {
  readonly model = new Model();
  readonly clock = new FakeClock(baseUs);
  /** The index sleeps only between syncs, which don't matter here. */
  private readonly indexClock = Object.assign(new FakeClock(), { endlessMs: 1000 });
  log!: Log;
  index!: Index;
  retention!: Retention;
  private end!: () => Promise<void>;

  constructor(
    private readonly path: string,
    private readonly openedLog: () => Promise<Log>,
  ) {}

  async open(): Promise<void> {
    this.log = await this.openedLog();
    const { log, clock } = this;
    this.index = await openIndex({ log, logger: silentLogger, clock: this.indexClock, path: this.path });
    const kept = await keeping(log, this.index, { rules, clock });
    this.retention = kept.retention;
    this.end = async () => {
      await kept[Symbol.asyncDispose]();
      await this.index.close();
      await log[Symbol.asyncDispose]();
    };
  }

  close(): Promise<void> {
    return this.end();
  }

  async do(one: Action): Promise<void> {
    const { model, clock } = this;
    if (one.do === 'append') await this.append(one);
    else if (one.do === 'pass') {
      clock.advance(one.waitMs);
      await this.index.caughtUp(soon());
      await this.retention.pass();
      model.pass(clock.nowUs());
    } else if (one.do === 'hold') {
      const { gateway, stream } = one;
      const range = { fromUs: baseUs + one.fromUs, toUs: baseUs + one.fromUs + one.lengthUs };
      const asked = { ...range, reason: 'r', ...(gateway && { gateway }), ...(stream && { stream }) };
      const { id } = await this.retention.withHolds((holds) => holds.add(asked));
      model.holds.set(id, { ...range, gateway, stream });
    } else if (one.do === 'release') {
      const id = [...model.holds.keys()][one.which];
      if (id === undefined) return;
      await this.retention.withHolds((holds) => holds.remove(id, { reason: 'over' }));
      model.holds.delete(id);
    } else {
      await this.close();
      await this.open();
    }
  }

  private async append(one: Extract<Action, { do: 'append' }>): Promise<void> {
    const { model, clock, log } = this;
    const { gateway, kind } = one;
    clock.advance(one.waitMs);
    const stream = kind === 'lines' ? 'gps0' : kind === 'events' ? 'events' : 'can0';
    const epoch = epochs[one.epoch];
    const life = `${gateway}/${epoch}/${stream}`;
    const first = model.next.get(life) ?? 0;
    const last = first + (kind === 'gap' ? 2 : 0);
    model.next.set(life, last + 1);
    const isLive = one.boot < boots.length && kind !== 'gap';
    const timesUs: [number, number] = [baseUs + one.timeUs, baseUs + one.timeUs + one.lengthUs];
    const header: Partial<BatchHeader> = {
      gateway,
      stream,
      epoch,
      sequence: first,
      ...(isLive && {
        boot: boots[one.boot],
        clock: { wallOffsetUs: baseUs, state: 'synced', uncertaintyUs: 1, stamped: true },
      }),
    };
    const bytes =
      kind === 'gap'
        ? gapBatch(first, last, 'expired', header)
        : kind === 'lines'
          ? lineBatch(
              timesUs.map((timeUs) => ({ timeUs, text: 'a line\n' })),
              header,
            )
          : kind === 'events'
            ? eventBatch(timesUs[0], 'started', header)
            : canBatch(timesUs, header);
    const { firstTimeUs, lastTimeUs } = decodeBatch(bytes).header;
    const held = new RangeSet([[0, last]]);
    const entry = { partition: log.partitionOf(gateway), receiveTimeUs: clock.nowUs(), bytes };
    const [offset] = await log.append([entry], [heldNote(heldKey({ gateway, epoch, stream }), held)]);
    assert.equal(offset, model.offsets.get(entry.partition) ?? 0, 'offsets go on, and are never given again');
    model.offsets.set(entry.partition, offset + 1);
    model.kept.push({
      gateway,
      stream,
      epoch,
      offset,
      receiveTimeUs: entry.receiveTimeUs,
      first,
      last,
      timesUs: [firstTimeUs, lastTimeUs],
      isGap: kind === 'gap',
      bytes: bytes.length,
    });
    clock.advance(0.001); // no two are received at one time
  }

  async check(): Promise<void> {
    const { log, index, model, retention } = this;
    await index.caughtUp(soon());
    this.indexClock.advance(10_000); // what it remembers of boots may be some seconds old
    const inLog: string[] = [];
    for (const { partition } of log.ends()) {
      for await (const { offset, bytes } of log.read(partition, 0)) {
        const { header } = decodeBatch(bytes);
        inLog.push(`${header.gateway}/${header.stream} ${header.epoch} ${header.sequence} @${offset}`);
      }
    }
    const expected = model.kept.map(
      ({ gateway, stream, epoch, first, offset }) => `${gateway}/${stream} ${epoch} ${first} @${offset}`,
    );
    assert.deepEqual(inLog.sort(), expected.sort());
    const fleet = new FakeFleet();
    for await (const { gateway, epoch, stream, held, trimmed } of heldSequences(log)) {
      const gone = new RangeSet([[0, model.next.get(`${gateway}/${epoch}/${stream}`)! - 1]]);
      for (const one of model.kept) {
        const isOf = one.gateway === gateway && one.epoch === epoch && one.stream === stream;
        if (isOf) gone.remove(one.first, one.last);
      }
      assert.deepEqual(trimmed?.toFlat() ?? [], gone.toFlat());
      fleet.sequences.push({ gateway, epoch, stream, held, trimmed });
    }
    const problems = await all(verify({ log, index, fleet, retention }, soon()));
    assert.deepEqual(
      problems.filter(({ event }) => event === 'problem'),
      [],
    );
    await using folder = await tempFolder('rebuilt');
    await using anew = await openIndex({
      log,
      logger: silentLogger,
      clock: systemClock,
      path: join(folder.path, 'index'),
    });
    await anew.caughtUp(soon());
    assert.deepEqual(await contents(index), await contents(anew));
  }
}

/** What an index answers; numbers that it gives to what it has seen are its own. */
async function contents(index: Index): Promise<unknown> {
  const found: unknown[] = [];
  for await (const { gateway, stream, kind, batches, records, bytes, gaps } of index.streams()) {
    found.push({ gateway, stream, kind: gaps > 0 || kind, batches, records, bytes, gaps });
    found.push(await index.times(gateway, stream, 'original'));
    const range = { gateway, stream, fromUs: -1e15, toUs: 4e15 };
    const facts = (await all(index.batches(range))).map((one) => ({ ...one, epochOrder: 0 }));
    found.push(facts.sort((a, b) => a.offset - b.offset));
    const revisions = await index.revisions({
      gateway,
      stream,
      fromUs: Math.floor(baseUs / 60e6) * 60e6,
      toUs: Math.floor(baseUs / 60e6) * 60e6 + 10 * 60e6,
    });
    found.push(Array.from(revisions, (revision) => revision > 0));
    for await (const arrival of index.arrivals(gateway, stream)) found.push({ ...arrival, correctedUs: [] });
  }
  for await (const gap of index.gaps()) found.push(gap);
  for (const gateway of gateways) {
    const boots = (await index.boots(gateway)).map((one) => `${one.boot} ${one.batches} ${one.records}`);
    found.push(boots.sort());
  }
  return found;
}

function retentionOver(name: string, openedLog: (path: string) => () => Promise<Log>, numRuns: number): void {
  it(`${name}: any order of appends, passes, holds and restarts keeps what the rules and holds keep, and nothing else`, async function () {
    this.timeout(120_000);
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 40 }), async (actions) => {
        await using folder = await tempFolder('retention');
        const kit = new Kit(join(folder.path, 'index'), openedLog(join(folder.path, 'log')));
        await kit.open();
        try {
          for (const one of actions) await kit.do(one);
          await kit.check();
        } finally {
          await kit.close();
        }
      }),
      { numRuns },
    );
  });
}

describe('retention', () => {
  retentionOver(
    'log in memory',
    () => {
      const log = new MemoryLog();
      return () => Promise.resolve(log);
    },
    8,
  );
  retentionOver(
    'log on RocksDB',
    (path) => () => openLog({ path, partitions: 2, logger: silentLogger, clock: systemClock }),
    4,
  );
});

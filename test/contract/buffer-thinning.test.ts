import assert from 'node:assert/strict';
import { join } from 'node:path';
import { decodeBatch, encodeSamples, Samples, type EncodedPayload } from '@fleetlog/shared/batch';
import { decodeCan, encodeCan } from '@fleetlog/shared/can';
import { RangeSet } from '@fleetlog/shared/util';
import type { BufferOptions } from '#gateway/buffer/buffer-options.js';
import type { BufferedStream, GatewayBuffer } from '#gateway/buffer/buffer.js';
import { openBuffer } from '#gateway/buffer/open-buffer.js';
import { generateNoise } from '../support/generate-frames.js';
import { tempFolder } from '../support/temp-folder.js';
import { thinnedAccountOf } from '../support/thinned-account.js';
import { thinningOptions } from '../support/thinning-options.js';

const keepEachNth = 10;
const frames = generateNoise(7, 600, 20);
const can = encodeCan(frames);

async function put(buffer: GatewayBuffer, stream: string, count: number, payload = can): Promise<void> {
  for (let i = 0; i < count; i++) await buffer.put(stream, { payload, origin: 'live' });
}

const stateOf = (buffer: GatewayBuffer, stream: string): BufferedStream =>
  buffer.streams().find((s) => s.stream === stream) ?? assert.fail(`no stream ${stream}`);

describe('thinning in a full buffer', function () {
  this.timeout(60_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await tempFolder('thinning');
    path = join(folder.path, 'buffer');
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const options = (policies?: Parameters<typeof thinningOptions>[1]): BufferOptions =>
    thinningOptions(path, policies);

  it('comes before giving up: the oldest are thinned, the newest whole, and the counts add up', async () => {
    await using buffer = await openBuffer(options());
    let before = 0;
    for (let round = 0; round < 14; round++) {
      await put(buffer, 'can0', 100);
      await buffer.flush();
      const state = stateOf(buffer, 'can0');
      const account = await thinnedAccountOf(buffer, 'can0', 600);
      assert.equal(account.next, state.next);
      assert.equal(account.bytes, state.bytes);
      assert.equal(account.records, state.records);
      assert.equal(account.records + account.takenRecords + account.explained.records, 600 * state.next);
      assert.equal(state.givenUp.records + state.thinned.records + account.records, 600 * state.next);
      assert.equal(state.givenUp.batches, account.explained.batches);
      assert.ok(state.thinned.records === 0 || account.whole > 0, 'the newest stay whole');
      if (before === 0 && state.thinned.batches > 0) assert.equal(state.givenUp.batches, 0, 'thinned first');
      before = state.thinned.batches;
    }
    const { whole, thinned } = await thinnedAccountOf(buffer, 'can0', 600);
    assert.ok(thinned > whole, `${thinned} thinned, ${whole} whole`);
    assert.ok(stateOf(buffer, 'can0').givenUp.batches > 0, 'and then the oldest of these go');
  });

  it('leaves each n-th frame of each identifier, and says what it took', async () => {
    await using buffer = await openBuffer(options());
    await put(buffer, 'can0', 900);
    await buffer.flush();
    const [{ bytes }] = await buffer.read('can0', stateOf(buffer, 'can0').givenUp.batches, 1);
    const batch = decodeBatch(bytes);
    const { thinned, recordCount } = batch.header;
    const seen = new Map<number, number>();
    const expected = Array.from({ length: frames.count }, (_, i) => i).filter((i) => {
      const count = seen.get(frames.id[i]) ?? 0;
      seen.set(frames.id[i], count + 1);
      return count % keepEachNth === 0;
    });
    const left = decodeCan(batch);
    assert.deepEqual(
      Array.from({ length: left.count }, (_, i) => [left.timeUs(i), left.id[i]]),
      expected.map((i) => [frames.timeUs(i), frames.id[i]]),
    );
    assert.equal(thinned?.keepEachNth, keepEachNth);
    assert.equal(thinned?.records, 600 - recordCount);
  });

  it('keeps its account over restarts and acknowledgements, whatever they cover', async () => {
    let state: BufferedStream;
    {
      await using buffer = await openBuffer(options());
      await put(buffer, 'can0', 1200);
      await buffer.flush();
      state = stateOf(buffer, 'can0');
    }
    await using buffer = await openBuffer(options());
    assert.deepEqual(stateOf(buffer, 'can0'), state);
    const { first, next, givenUp, thinned } = state;
    assert.ok(givenUp.batches > 0 && thinned.batches > 100, JSON.stringify(state));
    const edge = first + givenUp.batches;
    // Thinned ones, some across the border to whole ones, the gap record, and the rest.
    const steps: [number, number][] = [
      [edge + 10, edge + 17],
      [edge + 100, next - 50],
      [edge, edge + 5],
      [0, edge - 1],
      [next - 10, next - 1],
    ];
    for (const step of steps) {
      await buffer.acknowledge('can0', new RangeSet([step]));
      await buffer.flush();
      const account = await remaining(buffer, next);
      const { bytes, records } = stateOf(buffer, 'can0');
      assert.deepEqual({ bytes, records }, account, `after ${step.join(' to ')}`);
    }
    await buffer.acknowledge('can0', new RangeSet([[0, next - 1]]));
    await buffer.flush();
    const { bytes, records, batches } = stateOf(buffer, 'can0');
    assert.deepEqual({ bytes, records, batches }, { bytes: 0, records: 0, batches: 0 });
  });

  it('is for the streams that ask for it: of others the oldest go', async () => {
    await using buffer = await openBuffer(options({ can0: { keepEachNth, priority: 8 } }));
    await put(buffer, 'can1', 500);
    await put(buffer, 'can0', 250);
    await buffer.flush();
    assert.equal(stateOf(buffer, 'can1').thinned.batches, 0);
    assert.ok(stateOf(buffer, 'can1').givenUp.batches > 100);
    assert.equal(stateOf(buffer, 'can0').thinned.batches, 0, 'what is worth more is touched last');
  });

  it('takes rows out of samples, too', async () => {
    const samples = new Samples([{ name: 'x', unit: '', type: 'f64' }]);
    for (let i = 0; i < 600; i++) samples.columns[0][samples.append(1.79e15 + 1000 * i)] = Math.random();
    await using buffer = await openBuffer(options({ imu: { keepEachNth: 4 } }));
    await put(buffer, 'imu', 1200, encodeSamples(samples));
    await buffer.flush();
    const account = await thinnedAccountOf(buffer, 'imu', 600);
    assert.ok(account.thinned > 100, JSON.stringify(account));
    assert.equal(account.takenRecords, 450 * account.thinned);
  });

  it('does nothing to what cannot be thinned, and once to what can', async () => {
    const odd: EncodedPayload = { ...can, payload: Buffer.alloc(6000, 'no frames') };
    await using buffer = await openBuffer(options({ can0: { keepEachNth: 2 } }));
    await put(buffer, 'can0', 800, odd);
    await put(buffer, 'can0', 800);
    await buffer.flush();
    const account = await thinnedAccountOf(buffer, 'can0', 600);
    assert.equal(account.records + account.takenRecords + account.explained.records, 600 * 1600);
    const perBatch = account.takenRecords / account.thinned;
    assert.ok(perBatch > 250 && perBatch <= 300, `${perBatch} taken out of each: half, not three quarters`);
  });
});

/** Bytes and records of all batches that are left. */
async function remaining(buffer: GatewayBuffer, next: number): Promise<{ bytes: number; records: number }> {
  const sum = { bytes: 0, records: 0 };
  for (let at = 0; at < next;) {
    const read = await buffer.read('can0', at, 64);
    if (read.length === 0) return sum;
    for (const { lastSequence, bytes } of read) {
      const { header } = decodeBatch(bytes);
      if (header.codec !== 'gap-1') {
        sum.bytes += bytes.length;
        sum.records += header.recordCount;
      }
      at = lastSequence + 1;
    }
  }
  return sum;
}

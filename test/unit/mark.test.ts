import assert from 'node:assert/strict';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '@fleetlog/shared/log';
import { MarkFile, readMark, type Mark } from '#gateway/buffer/integrity/mark.js';
import { StreamState } from '#gateway/buffer/stream-state.js';
import { FakeClock } from '../support/fake-clock.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

describe("the buffer's high-water mark", () => {
  const secondSlot = 2 ** 20;
  const same = (a: Mark | undefined, b: Mark): boolean => JSON.stringify(a) === JSON.stringify(b);
  const byValue = (a: number, b: number): number => a - b;
  const streams = ['can0', 'gps0', 'imu0'];

  /** The mark after `count` commits, each of one stream in turn. */
  function markAfter(count: number): Mark {
    const rows = streams.map((stream, i): [string, Mark['streams'][string]] => {
      const next = Math.floor((count + streams.length - 1 - i) / streams.length);
      const position = i === 1 ? Buffer.from(`line ${next}`).toString('base64') : undefined;
      const done = next > 3 ? [0, next - 3] : [];
      const lastTimeUs = next > 0 ? 1_790_000_000_000_000 + next : undefined;
      return [
        stream,
        { kind: 'can', next, records: 7 * next, bytes: 5e9 * next, lastTimeUs, done, position },
      ];
    });
    return {
      gateway: 'truck-1',
      epoch: '0123456789abcdef',
      boot: 'fedcba9876543210',
      streams: Object.fromEntries(rows),
    };
  }

  const changedAt = (count: number): string[] => [streams[(count - 1) % streams.length]];

  /** Notes `from` to `to`, each of them written. */
  async function write(path: string, from: number, to: number, clock = new FakeClock()): Promise<void> {
    const file = await MarkFile.open(path, clock, silentLogger);
    for (let count = from; count <= to; count++) {
      file.note(markAfter(count), changedAt(count));
      await until('it is written', async () => same(await readMark(path), markAfter(count)));
    }
    await file[Symbol.asyncDispose]();
  }

  it('says what was noted last, however many changes it took and whichever shared a write', async () => {
    await using folder = await tempFolder('mark');
    const path = join(folder.path, 'buffer.mark');
    for (const [from, to] of [
      [1, 1],
      [2, 3],
      [4, 120],
      [121, 122],
    ]) {
      await write(path, from, to);
      assert.deepEqual(await readMark(path), markAfter(to));
    }
  });

  it('is a mark that was noted, whatever byte of it is wrong and wherever it ends', async () => {
    await using folder = await tempFolder('mark');
    const path = join(folder.path, 'buffer.mark');
    const damaged = join(folder.path, 'damaged.mark');
    await write(path, 1, 40);
    // The first mark was synced at once, and stays in the second slot; all others are in the first one.
    const whole = await readFile(path);
    const end = whole.subarray(0, secondSlot).findLastIndex((byte) => byte !== 0) + 1;
    const noted = Array.from({ length: 41 }, (_, count) => JSON.stringify(markAfter(count)));
    const found = new Set<number>();
    await writeFile(damaged, whole);
    await using file = await open(damaged, 'r+');
    const check = async (slot: Buffer, at: number): Promise<void> => {
      await file.write(slot, 0, slot.length, at);
      const count = noted.indexOf(JSON.stringify(await readMark(damaged)));
      assert.ok(count >= 1, 'neither what the synced slot says nor something later');
      found.add(count);
    };
    const first = whole.subarray(0, end);
    for (let at = 0; at < end; at += 13) {
      const flipped = Buffer.from(first);
      flipped[at] ^= 0x10;
      await check(flipped, 0);
      await check(Buffer.from(first).fill(0, at), 0);
    }
    assert.deepEqual([...found].sort(byValue), [1, ...Array.from({ length: 38 }, (_, i) => i + 2)]);
    await file.write(first, 0, end, 0);
    await check(Buffer.alloc(1), secondSlot);
    assert.ok(found.has(40));
  });

  it("doesn't take what a slot's former use left for changes", async () => {
    await using folder = await tempFolder('mark');
    const path = join(folder.path, 'buffer.mark');
    const clock = new FakeClock();
    const file = await MarkFile.open(path, clock, silentLogger);
    for (let count = 1000; count <= 1120; count++) {
      if (count % 20 === 0) clock.advance(10_001); // the slots take turns, and blocks are of one length
      file.note(markAfter(count), changedAt(count));
      await until('it is written', async () => same(await readMark(path), markAfter(count)));
    }
    await file[Symbol.asyncDispose]();
  });

  it('reads meta records as they were before they were rows', () => {
    const put = { bytes: 700, records: 70 };
    const removed = { bytes: 500, records: 50 };
    const earlier = { kind: 'lines', next: 7, durable: 6, refused: 1, put, removed, done: [0, 4] };
    const value = Buffer.from(JSON.stringify({ ...earlier, position: 'aGVyZQ==' }));
    const state = StreamState.decode('gps0', value);
    const { next, durableBefore, refused, position } = StreamState.decode('gps0', state.encode());
    assert.deepEqual(
      [next, durableBefore, refused, Buffer.from(position ?? []).toString()],
      [7, 7, 1, 'here'],
    );
    const { batches, records, bytes } = state.describe();
    assert.deepEqual({ batches, records, bytes }, { batches: 2, records: 20, bytes: 200 });
  });
});

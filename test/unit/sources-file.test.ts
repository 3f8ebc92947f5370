import assert from 'node:assert/strict';
import { appendFile, chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isFleetlogError, type ErrorCode } from '@fleetlog/shared/errors';
import { limits } from '@fleetlog/shared/batch';
import { CollectingSink } from '../support/collecting-sink.js';
import { captureLog } from '../support/log-capture.js';
import { candumpFile, linesFile, never, sourceOf } from '../support/source-options.js';
import { tempFolder } from '../support/temp-folder.js';

type Folder = Awaited<ReturnType<typeof tempFolder>>;

const frame = (i: number, stepUs = 1000): string =>
  `(${((1_700_000_000_000_000 + i * stepUs) / 1e6).toFixed(6)}) can0 ${(i % 0x800).toString(16).toUpperCase().padStart(3, '0')}#${(i % 256).toString(16).toUpperCase().padStart(2, '0')}\n`;
const frames = (count: number, from = 0, stepUs = 1000): string =>
  Array.from({ length: count }, (_, i) => frame(from + i, stepUs)).join('');

const codeIs =
  (code: ErrorCode, message: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(isFleetlogError(error, code), `expected ${code}, got ${String(error)}`);
    assert.match(error.message, message);
    return true;
  };

describe('file source', () => {
  let folder: Folder;
  let path: string;
  beforeEach(async () => {
    folder = await tempFolder('file-source');
    path = join(folder.path, 'drive.log');
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  async function run(config: object, sink = new CollectingSink(), position?: Uint8Array) {
    const logger = captureLog();
    const source = sourceOf(config, { logger });
    await source.run(sink, position, never);
    return { sink, counters: source.counters, log: logger.entries };
  }

  it('seals batches by event time, and each tells where to go on', async () => {
    await writeFile(path, frames(2500));
    const { sink, counters } = await run(candumpFile(path));
    assert.equal(sink.text(), frames(2500));
    assert.deepEqual(
      sink.batches.map(({ payload }) => payload.recordCount),
      [1001, 1001, 498],
    );
    for (const { payload, origin, position } of sink.batches) {
      assert.ok(payload.lastTimeUs - payload.firstTimeUs <= 1_000_000);
      assert.equal(origin, 'recording');
      assert.ok(position);
    }
    assert.deepEqual(counters, {
      records: 2500,
      malformed: 0,
      timeReversals: 0,
      positionBytes: frames(2500).length,
      totalBytes: frames(2500).length,
    });
  });

  it('seals batches by records and by bytes', async () => {
    await writeFile(path, frames(100));
    const byRecords = await run(candumpFile(path, { batch: { records: 30 } }));
    assert.deepEqual(
      byRecords.sink.batches.map(({ payload }) => payload.recordCount),
      [30, 30, 30, 10],
    );
    const byBytes = await run(candumpFile(path, { batch: { bytes: '40B' } }));
    assert.deepEqual(
      byBytes.sink.batches.map(({ payload }) => payload.recordCount),
      [40, 40, 20],
    );
    await writeFile(path, frames(10).replaceAll(' can0', '  can0'));
    const verbatim = await run(candumpFile(path, { batch: { bytes: '100B' } }));
    assert.deepEqual(
      verbatim.sink.batches.map(({ payload }) => payload.recordCount),
      [3, 3, 3, 1],
      'lines kept verbatim count as bytes',
    );
  });

  it('ends at once with an empty file', async () => {
    await writeFile(path, '');
    for (const config of [candumpFile(path), linesFile(path)]) {
      const { sink, counters } = await run(config);
      assert.equal(sink.batches.length, 0);
      assert.equal(counters.totalBytes, 0);
    }
  });

  it('is done at once with a file that it has read before, and goes on where it has grown', async () => {
    await writeFile(path, frames(10));
    const { sink } = await run(candumpFile(path));
    const again = await run(candumpFile(path), new CollectingSink(), sink.position);
    assert.equal(again.sink.batches.length, 0);
    assert.deepEqual(again.log, []);
    await appendFile(path, frames(5, 10));
    await run(candumpFile(path), sink, sink.position);
    assert.equal(sink.text(), frames(15));
  });

  it('reads another file at the same path from its start, and says so', async () => {
    await writeFile(path, frames(10));
    const { sink } = await run(candumpFile(path));
    for (const [text, what] of [
      [frames(12, 500), 'another beginning'],
      [frames(5), 'shorter'],
    ]) {
      await writeFile(path, text);
      const other = await run(candumpFile(path), new CollectingSink(), sink.position);
      assert.equal(other.sink.text(), text, what);
      assert.match(other.log[0].message, /isn't the file that was read before/);
    }
    const nonsense = await run(candumpFile(path), new CollectingSink(), Buffer.from('{"version":9}'));
    assert.equal(nonsense.sink.text(), frames(5));
  });

  it('names a missing file, a folder, and one that it may not read', async () => {
    const missing = run(candumpFile(join(folder.path, 'no.log')));
    await assert.rejects(missing, codeIs('FLEETLOG_CONFIG', /no\.log doesn't exist/));
    await mkdir(join(folder.path, 'sub'));
    await assert.rejects(run(linesFile(join(folder.path, 'sub'))), codeIs('FLEETLOG_CONFIG', /isn't a file/));
    if (process.getuid?.() === 0) return; // root may read anything
    await writeFile(path, 'x');
    await chmod(path, 0);
    await assert.rejects(run(linesFile(path)), codeIs('FLEETLOG_CONFIG', /no permission/));
  });

  describe('malformed lines', () => {
    it('are named with line and reason, counted, and left out', async () => {
      await writeFile(path, `${frame(0)}\n# remark\n${frame(1)}nonsense\n${frame(2)}`);
      const { sink, counters, log } = await run(candumpFile(path));
      assert.equal(sink.text(), frames(3));
      assert.equal(counters.malformed, 3);
      assert.deepEqual(
        log.map(({ level, facts }) => [level, facts['place'], facts['line'], facts['reason']]),
        [
          ['warn', path, 2, 'the line is empty'],
          ['warn', path, 3, 'a comment, not a frame'],
          ['warn', path, 5, "no time in parentheses at the line's start"],
        ],
      );
    });

    it('fill no log: twenty by name, then the sum', async () => {
      await writeFile(path, 'nonsense\n'.repeat(5000) + frame(1));
      const { log, counters, sink } = await run(candumpFile(path));
      assert.equal(counters.malformed, 5000);
      assert.equal(log.length, 21);
      assert.match(log[20].message, /Left out 5000 lines in all/);
      assert.equal(sink.text(), frame(1));
    });

    it('stop a strict source, with everything before them kept', async () => {
      await writeFile(path, `${frames(5)}nonsense\n${frames(5, 5)}`);
      const sink = new CollectingSink();
      const expected = codeIs('FLEETLOG_SOURCE_MALFORMED', /drive\.log:6: no time in parentheses/);
      await assert.rejects(run(candumpFile(path, { strict: true }), sink), expected);
      assert.equal(sink.text(), frames(5));
      await assert.rejects(run(candumpFile(path, { strict: true }), sink, sink.position), expected);
      assert.equal(sink.text(), frames(5), 'and stop it again after a restart');
      const { counters } = await run(candumpFile(path), sink, sink.position);
      assert.equal(sink.text(), frames(10), 'until it is no longer strict');
      assert.equal(counters.malformed, 1);
    });

    it('at the end are a truncated line, which is read again when it may be complete', async () => {
      await writeFile(path, `${frames(3)}${frame(3).slice(0, 20)}`);
      const { sink, counters, log } = await run(candumpFile(path));
      assert.equal(counters.malformed, 1);
      assert.match(String(log[0].facts['reason']), /^truncated last line/);
      assert.equal(log[0].facts['line'], 4);
      await appendFile(path, frame(3).slice(20) + frame(4));
      const grown = await run(candumpFile(path), sink, sink.position);
      assert.equal(sink.text(), frames(5));
      assert.equal(grown.counters.malformed, 0);
    });
  });

  it('keeps a last line without a line feed, whole files with CR LF, and one that is all one line', async () => {
    for (const text of [
      frames(3).trimEnd(),
      frames(3).replaceAll('\n', '\r\n'),
      frames(3).replaceAll('\n', '\r\n').trimEnd(),
      frame(0).trimEnd(),
    ]) {
      await writeFile(path, text);
      const batch = { records: 1 };
      for (const config of [
        candumpFile(path),
        linesFile(path),
        candumpFile(path, { batch }),
        linesFile(path, { batch }),
      ]) {
        const { sink, counters } = await run(config);
        assert.equal(sink.text(), text);
        assert.equal(counters.positionBytes, text.length);
        const again = await run(config, new CollectingSink(), sink.position);
        assert.equal(again.sink.batches.length, 0);
      }
    }
  });

  it('counts times that go backwards and keeps them as they are', async () => {
    const text = frame(5) + frame(3) + frame(4) + frame(4) + frame(1);
    await writeFile(path, text);
    const { sink, counters } = await run(candumpFile(path));
    assert.equal(sink.text(), text);
    assert.equal(counters.timeReversals, 2);
  });

  describe('very long lines', () => {
    const long = 'A'.repeat(1_000_000);

    it('are malformed as candump text, and their neighbours are kept', async () => {
      for (const filler of [long, '(1.0) can0 123#'.padEnd(300_000, ' '), `${' '.repeat(5000)}`]) {
        await writeFile(path, `${frame(0)}${filler}\n${frame(1)}${filler}${long}\n${frame(2)}${filler}`);
        const { sink, counters, log } = await run(candumpFile(path));
        assert.equal(sink.text(), frames(3));
        assert.equal(counters.malformed, 3);
        assert.deepEqual(
          log.map(({ facts }) => facts['line']),
          [2, 4, 6],
        );
      }
    });

    it('are kept as text lines up to the limit, and malformed above it', async () => {
      const kept = `${'B'.repeat(limits.lineBytesMax - 1)}\n`;
      const tooLong = `${'C'.repeat(limits.lineBytesMax)}\n`;
      await writeFile(path, `a\n${kept}${tooLong}b\n${tooLong}${long}\n${kept}c\n${tooLong}`);
      const { sink, counters, log } = await run(linesFile(path));
      assert.equal(sink.text(), `a\n${kept}b\n${long}\n${kept}c\n`);
      assert.equal(counters.malformed, 3);
      assert.equal(counters.records, 6);
      assert.deepEqual(
        log.map(({ facts }) => [facts['line'], facts['reason']]),
        [3, 5, 9].map((line) => [line, 'longer than 1048576 bytes']),
      );
    });
  });
});

import assert from 'node:assert/strict';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { sourceOf } from '../support/source-options.js';

const file = { source: 'file', path: '/drive.log', format: 'candump' };
const command = { source: 'command', command: 'candump -L can0', format: 'candump' };

describe('configuration of a stream', () => {
  it('takes what the command line reference shows', () => {
    assert.equal(sourceOf(file).kind, 'can');
    assert.equal(sourceOf(file).finite, true);
    for (const pace of ['max', 'original', 0.5, 10]) sourceOf({ ...file, pace, times: 'now', strict: true });
    assert.equal(sourceOf({ ...file, format: 'lines' }).kind, 'lines');
    assert.equal(sourceOf(command).finite, false);
    sourceOf({ ...command, command: ['candump', '-L', 'can0'], origin: 'simulated' });
    sourceOf({ ...file, batch: { linger: '1s', span: '5s', records: 1, bytes: '1MiB' } });
  });

  const refused: [config: object, message: string][] = [
    [{}, 'test: missing key "source"; missing key "format".'],
    [
      { ...file, source: 'socketcan' },
      'test: "source" must be a file or command (socketcan and serial come later).',
    ],
    [{ ...file, format: 'asc' }, 'test: "format" must be a candump or lines.'],
    [{ ...file, repeat: true }, 'test: unknown key "repeat".'],
    [{ ...file, pace: 0 }, 'test: "pace" must be a factor above 0, or max, or original.'],
    [{ ...file, pace: 'fast' }, 'test: "pace" must be a factor above 0, or max, or original.'],
    [{ ...file, times: 'later' }, 'test: "times" must be a original or now.'],
    [{ ...file, path: undefined }, 'Missing key "streams.stream0.path": "source: file" needs it.'],
    [
      { ...command, command: undefined },
      'Missing key "streams.stream0.command": "source: command" needs it.',
    ],
    [{ ...file, command: 'x' }, '"source: file" has no key "command"; remove "streams.stream0.command".'],
    [{ ...command, pace: 1 }, '"source: command" has no key "pace"; remove "streams.stream0.pace".'],
    [{ ...file, batch: { linger: 500 } }, 'test: "batch.linger" must be a duration such as 250ms, 5s, 2h.'],
    [
      { ...file, batch: { bytes: '1 MB/s' } },
      'test: "batch.bytes" must be a size such as 512KiB, 64MiB, 10GB.',
    ],
    [{ ...file, batch: { records: 0 } }, 'test: "batch.records" must be >= 1.'],
    [{ ...file, batch: { size: 1 } }, 'test: unknown key "batch.size".'],
    [{ ...file, batch: { span: '1h' } }, '"streams.stream0.batch.span" must be in the range 1ms to 30min.'],
    [{ ...file, batch: { bytes: '2MiB' } }, '"streams.stream0.batch.bytes" must be in the range 1B to 1MiB.'],
  ];
  for (const [config, message] of refused) {
    it(`refuses ${JSON.stringify(config)}`, () => {
      assert.throws(
        () => sourceOf(JSON.parse(JSON.stringify(config)) as object),
        (error: unknown) => {
          assert.ok(isFleetlogError(error, 'FLEETLOG_CONFIG'), String(error));
          assert.equal(error.message, message);
          return true;
        },
      );
    });
  }
});

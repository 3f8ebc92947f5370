import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, type Clock } from '@fleetlog/shared/util';
import { CollectingSink } from '../support/collecting-sink.js';
import { FakeClock } from '../support/fake-clock.js';
import { captureLog, type LogEntry } from '../support/log-capture.js';
import { sourceOf } from '../support/source-options.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const frame = (i: number): string => `(${(1_700_000_000 + i / 1000).toFixed(6)}) can0 123#11\n`;
const frames = (count: number): string => Array.from({ length: count }, (_, i) => frame(i)).join('');

/** True while the process lives; one that only waits to be reaped doesn't. */
function lives(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe('command source', () => {
  const stops: AbortController[] = [];
  const runs: Promise<void>[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0)) stop.abort();
    await Promise.all(runs.splice(0));
  });

  function start(config: object, clock: Clock = systemClock, sink = new CollectingSink()) {
    const logger = captureLog();
    const stop = new AbortController();
    const source = sourceOf({ source: 'command', format: 'candump', ...config }, { clock, logger });
    const ended = source.run(sink, undefined, stop.signal);
    stops.push(stop);
    runs.push(ended.catch(() => undefined));
    return { sink, stop, source, ended, log: logger.entries };
  }

  it('makes batches of the output, live ones that have no position', async () => {
    await using folder = await tempFolder('command');
    const path = join(folder.path, 'drive.candump');
    await writeFile(path, frames(5000));
    const { sink, source, stop, ended } = start({
      command: `cat ${path}; exec sleep 1000`,
      origin: 'simulated',
      batch: { linger: '50ms' },
    });
    await until('all frames', () => sink.recordCount === 5000);
    stop.abort();
    await ended;
    assert.equal(sink.text(), frames(5000));
    assert.equal(source.finite, false);
    assert.equal(source.counters.records, 5000);
    for (const batch of sink.batches) {
      assert.equal(batch.origin, 'simulated');
      assert.equal(batch.position, undefined);
    }
  });

  it('takes what came while the sink made it wait for the batch before', async () => {
    await using folder = await tempFolder('command');
    const written = join(folder.path, 'written');
    const first = Promise.withResolvers<void>();
    const more = Promise.withResolvers<void>();
    const sink = new CollectingSink();
    sink.onPut = () => {
      first.resolve();
      return more.promise;
    };
    const go = join(folder.path, 'go');
    const command =
      `printf '${frame(0)}'; until [ -e ${go} ]; do sleep 0.01; done; ` +
      `printf '${frame(1)}'; touch ${written}; exec sleep 1000`;
    start({ command, batch: { linger: '10ms' } }, systemClock, sink);
    await first.promise;
    await writeFile(go, '');
    await until('the second frame is on its way', () => existsSync(written));
    // The event loop takes what has arrived before it runs timers that are due later.
    for (let turn = 0; turn < 3; turn++) await systemClock.sleep(10);
    more.resolve();
    await until('the second frame', () => sink.recordCount === 2);
  });

  it('runs a list as program and arguments, without a shell', async () => {
    const { sink } = start(
      { command: ['printf', '%s\\n', '$HOME', 'a b'], format: 'lines' },
      new FakeClock(),
    );
    await until('two lines', () => sink.recordCount >= 2);
    assert.match(sink.text(), /^\$HOME\na b\n/);
  });

  it('starts a command that ends again, and one that gives nothing ever later', async () => {
    const pauses = (log: LogEntry[]): unknown[] => log.flatMap(({ facts }) => facts['restartMs'] ?? []);
    const useful = start({ command: `printf '${frame(0)}'` }, new FakeClock());
    await until('four starts', () => useful.sink.recordCount >= 4);
    assert.deepEqual(pauses(useful.log).slice(0, 3), [1000, 1000, 1000]);

    const { log } = start({ command: 'echo broken >&2; exit 3' }, new FakeClock());
    await until('seven pauses', () => pauses(log).length >= 7);
    assert.deepEqual(pauses(log).slice(0, 7), [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    assert.ok(log.some(({ facts }) => facts['text'] === 'broken'));
    assert.ok(log.some(({ message }) => message.includes('status 3')));
  });

  it('says that a program is missing, and tries again', async () => {
    const { log } = start({ command: ['/no/such/program'] }, new FakeClock());
    await until('two tries', () => log.filter(({ level }) => level === 'error').length >= 2);
    assert.match(log[0].message, /can't be started/);
  });

  it('names malformed lines, and a last one that is cut off', async () => {
    const { source, sink, log } = start({
      command: `printf '${frame(0)}junk\\n(1.0) can'; exec sleep 1000 >&-`,
    });
    await until('the end of the output', () => source.counters.malformed === 2);
    await until('the frame', () => sink.recordCount === 1);
    assert.match(String(log[0].facts['reason']), /no time/);
    assert.match(String(log[1].facts['reason']), /truncated last line/);
  });

  it('ends all that the shell started', async () => {
    const { sink, stop, ended } = start({
      command: 'sleep 1000 & echo $!; echo $$; wait',
      format: 'lines',
      batch: { linger: '10ms' },
    });
    await until('both ids', () => sink.recordCount === 2);
    const pids = sink.text().trim().split('\n').map(Number);
    assert.ok(pids.every(lives));
    stop.abort();
    await ended;
    await until('both ended', () => !pids.some(lives));
  });

  it('ends a command that takes no SIGTERM', async () => {
    const { sink, stop, ended } = start({
      command: "trap '' TERM; echo $$; while :; do sleep 0.05; done",
      format: 'lines',
      batch: { linger: '10ms' },
    });
    await until('its id', () => sink.recordCount === 1);
    const pid = Number(sink.text());
    stop.abort();
    await ended;
    assert.equal(lives(pid), false);
  });

  it('reads no further while the sink has no room', async () => {
    const sink = new CollectingSink();
    const room = Promise.withResolvers<void>();
    sink.onPut = (_batch, index) => (index === 0 ? room.promise : undefined);
    const { source, stop } = start(
      { command: 'yes', format: 'lines', batch: { records: 100 } },
      systemClock,
      sink,
    );
    await until('the first batch', () => source.counters.records === 100);
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
    assert.equal(source.counters.records, 100);
    room.resolve();
    await until('more', () => sink.recordCount >= 100_000);
    stop.abort();
  });

  it('stamps text lines with the time of their arrival', async () => {
    const beganUs = systemClock.nowUs();
    const { sink } = start({
      command: 'echo a; sleep 0.2; echo b; exec sleep 1000',
      format: 'lines',
      batch: { linger: '10ms' },
    });
    await until('both lines', () => sink.recordCount === 2);
    const [a, b] = sink.timesUs();
    assert.ok(a >= beganUs - 5000 && b <= systemClock.nowUs() + 5000);
    assert.ok(b - a > 100_000);
  });
});

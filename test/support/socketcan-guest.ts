import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { decodeGap } from '@fleetlog/shared/batch';
import { systemClock } from '@fleetlog/shared/util';
import { sent } from './batches.js';
import { CollectingSink } from './collecting-sink.js';
import { captureLog } from './log-capture.js';
import { sourceOf } from './source-options.js';
import { until } from './until.js';

/*
 * Runs within a guest that has CAN (uml.ts): a SocketCAN source against candump, cangen and ip. Writes what it saw to the
 * file that is its argument; who started the guest judges.
 */
const run = (command: string, ...parameters: string[]): number | null =>
  spawnSync(command, parameters, { stdio: 'inherit' }).status;
const pause = (ms: number): Promise<void> => systemClock.sleep(ms);

function start(config: object = {}) {
  const sink = new CollectingSink();
  const events: string[] = [];
  const stop = new AbortController();
  const source = sourceOf(
    { source: 'socketcan', interface: 'vcan0', batch: { linger: '100ms' }, ...config },
    {
      clock: systemClock,
      logger: captureLog(),
      events: {
        note: (type, { state, clock }) => void events.push([type, state ?? clock].filter(Boolean).join(' ')),
      },
    },
  );
  const ended = source.run(sink, undefined, stop.signal);
  const opened = (times: number): Promise<unknown> =>
    until('it listens', () => events.filter((type) => type === 'can.opened').length >= times, 20_000);
  const end = async (): Promise<void> => {
    stop.abort();
    await ended;
  };
  return { sink, source, events, opened, end };
}

async function everySortOfFrame(): Promise<object> {
  const reference = join(tmpdir(), 'reference.candump');
  const { sink, source, opened, end, events } = start();
  await opened(1);
  const candump = spawn('sh', ['-c', `exec candump -L -D -r 16777216 vcan0,0:0,#FFFFFFFF > ${reference}`], {
    stdio: 'ignore',
  });
  await until('candump listens', () => {
    run('cansend', 'vcan0', '7FF#');
    return readFileSync(reference, 'utf8') !== '' || pause(200).then(() => false);
  });
  run('cangen', 'vcan0', '-g', '0', '-n', '20000', '-I', 'i', '-L', '8', '-D', 'r');
  run('cangen', 'vcan0', '-g', '0.1', '-n', '2000', '-f', '-b', '-m'); // CAN FD, with and without bit rate switch
  run('cangen', 'vcan0', '-g', '1', '-n', '200', '-m', '-R');
  run('cansend', 'vcan0', '123#R4');
  run('cansend', 'vcan0', '20000004#0008000000000000'); // an error frame: the controller warns
  run('cansend', 'vcan0', '20000040#0000000000000000'); // another: bus-off
  run('cansend', 'vcan0', '7FE#99');
  await until('the last frame', () => sink.text().includes(' 7FE#99\n'), 30_000);
  await end();
  await pause(500);
  candump.kill();
  const ours = sink.text().split('\n');
  const theirs = readFileSync(reference, 'utf8').split('\n');
  // Ours began earlier; candump's text ends in the same frame.
  const from = ours.indexOf(theirs[0]);
  const different = theirs.findIndex((line, i) => ours[from + i] !== line);
  return {
    frames: theirs.length - 1,
    difference: different < 0 ? 'none' : `${theirs[different]} | ${ours[from + different]}`,
    counters: source.counters,
    events,
  };
}

async function overload(): Promise<object> {
  const { sink, source, opened, end } = start({
    receiveBuffer: '16KiB',
    batch: { linger: '20ms', records: 100 },
  });
  let open: () => void = () => {};
  const closed = new Promise<void>((resolve) => (open = resolve));
  sink.onPut = () => closed;
  await opened(1);
  const count = 30_000;
  run('cangen', 'vcan0', '-g', '0', '-n', String(count), '-I', '100', '-L', '8', '-D', 'i');
  open();
  await until(
    'it has caught up',
    async () => {
      run('cansend', 'vcan0', '101#');
      await pause(200);
      return (
        (source.counters.overruns ?? 0) > 0 && source.counters.records + source.counters.overruns! >= count
      );
    },
    30_000,
  );
  await pause(300);
  await end();
  const gaps = sink.batches.filter(({ payload }) => payload.codec === 'gap-1');
  const frames = sink.batches.filter(({ payload }) => payload.codec !== 'gap-1');
  return {
    sent: count,
    received: frames.reduce((sum, { payload }) => sum + payload.recordCount, 0),
    dropped: gaps.reduce((sum, { payload }) => sum + payload.recordCount, 0),
    cause: decodeGap(sent(gaps[0].payload)).cause,
  };
}

async function downAndUp(): Promise<object> {
  const { sink, opened, end, events } = start();
  await opened(1);
  run('cansend', 'vcan0', '001#01');
  await until('the first frame', () => sink.recordCount === 1);
  run('ip', 'link', 'set', 'vcan0', 'down');
  await until('it is noticed', () => events.includes('can.down'));
  run('ip', 'link', 'set', 'vcan0', 'up');
  await opened(2);
  run('cansend', 'vcan0', '002#02');
  await until('a frame', () => sink.recordCount === 2);
  run('ip', 'link', 'delete', 'vcan0');
  await until('that is noticed', () => events.filter((type) => type === 'can.down').length >= 2);
  plug();
  await opened(3);
  run('cansend', 'vcan0', '003#03');
  await until('a frame again', () => sink.recordCount === 3);
  await end();
  return { frames: sink.text().replace(/^\([^)]*\) /gm, '') };
}

async function filtered(): Promise<object> {
  const { sink, opened, end } = start({ filters: ['120/7F0', '18FEF100'] });
  await opened(1);
  for (const frame of ['123#01', '133#02', '18FEF100#03', '18FEF101#04', '12F#05'])
    run('cansend', 'vcan0', frame);
  await until('those that fit', () => sink.recordCount === 3);
  await pause(300);
  await end();
  return { frames: sink.text().replace(/^\([^)]*\) /gm, '') };
}

function plug(): void {
  run('ip', 'link', 'add', 'dev', 'vcan0', 'type', 'vcan');
  run('ip', 'link', 'set', 'vcan0', 'mtu', '72', 'up');
}

plug();
const results = {
  everySortOfFrame: await everySortOfFrame(),
  overload: await overload(),
  downAndUp: await downAndUp(),
  filtered: await filtered(),
};
writeFileSync(process.argv[2], JSON.stringify(results));

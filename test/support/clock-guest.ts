import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { GatewayReport } from '#gateway/control/status.js';
import { systemClock } from '@fleetlog/shared/util';
import { MeasuredGateway } from './measured-gateway.js';
import { until } from './until.js';

/*
 * Runs within a guest (uml.ts), whose wall clock is a real one and may be set: a gateway on a bus whose frames hold the
 * true time, and a chrony. What happens to the clock is told by the file `scenario` beside the one that is its argument:
 * `stepped` (it begins in 1970, is set by chrony, an hour back by hand, and stepped by chrony) or `slewed` (it is wrong
 * by some tenths of a second). Writes by how much the clock was wrong, and when each of that was done, in true time. `chronyd` is beside it as well. What was
 * captured stays in the buffer.
 */
const result = process.argv[2];
const folder = dirname(result);
const port = 12_300;
const patienceMs = 120_000;

const run = (command: string, ...parameters: string[]): void =>
  void spawnSync(command, parameters, { stdio: 'inherit' });

/** Asks the server of `true_time.py`, µs. */
async function trueUs(): Promise<number> {
  const socket = createSocket('udp4');
  try {
    const answer = once(socket, 'message', { signal: AbortSignal.timeout(5000) });
    socket.send(Buffer.concat([Buffer.from([0x23]), Buffer.alloc(47)]), port, '127.0.0.1');
    const [bytes] = (await answer) as [Buffer];
    const seconds = bytes.readUInt32BE(40) - 2_208_988_800;
    return seconds * 1e6 + Math.round((bytes.readUInt32BE(44) / 2 ** 32) * 1e6);
  } finally {
    socket.close();
  }
}

/** How wrong the wall clock is, µs. */
const wrongUs = async (): Promise<number> => systemClock.nowUs() - (await trueUs());

const done: Record<string, number> = {};
async function mark(what: string): Promise<void> {
  done[what] = await trueUs();
  await systemClock.sleep(3000); // frames of that time
}

run('ip', 'link', 'add', 'dev', 'vcan0', 'type', 'vcan');
run('ip', 'link', 'set', 'vcan0', 'up');
const script = resolve(import.meta.dirname, '../../support/true_time.py');
const truth = spawn('python3', [script, String(Date.now() / 1000), String(port), 'vcan0'], {
  stdio: 'inherit',
});
await until('the true time is told', () => trueUs().catch(() => undefined), patienceMs);
const isStepped = readFileSync(join(folder, 'scenario'), 'utf8') === 'stepped';
if (isStepped) run('busybox', 'date', '-s', '1970-01-01 00:01:00');
else run('python3', '-c', 'import time; time.clock_settime(0, time.time() + 0.3)');
const firstWrongUs = await wrongUs();
{
  await using gateway = await MeasuredGateway.start(folder, {
    uplink: { url: 'mqtt://127.0.0.1:1' },
    streams: { can0: { source: 'socketcan', interface: 'vcan0', batch: { linger: '100ms' } } },
  });
  const reports = (what: string, isSo: (report: GatewayReport) => boolean): Promise<GatewayReport> =>
    gateway.reports(what, isSo, patienceMs);
  await reports('it captures', ({ streams }) => streams.some(({ next }) => next > 3));
  await mark('before');
  const configuration = join(folder, 'chrony.conf');
  const poll = 'iburst minpoll -1 maxpoll 0';
  writeFileSync(
    configuration,
    `server 127.0.0.1 port ${port} ${poll}\nmakestep 1 -1\nrtcsync\ncmdport 0\npidfile ${folder}/chronyd.pid\n`,
  );
  const chrony = spawn(join(folder, 'chronyd'), ['-d', '-f', configuration, '-u', 'root'], {
    stdio: 'inherit',
  });
  const isRight = async (): Promise<boolean> => Math.abs(await wrongUs()) < 5000;
  await until('chrony has set the clock', isRight, patienceMs);
  await reports('the gateway knows', ({ clock }) => clock?.state === 'synced');
  await mark('set by chrony');
  if (isStepped) {
    run('busybox', 'date', '-s', `@${Math.round(Date.now() / 1000) - 3600}`);
    await mark('an hour back by hand');
    await until('chrony has put it right', isRight, patienceMs);
    await mark('stepped by chrony');
  }
  chrony.kill();
  truth.kill();
}
writeFileSync(result, JSON.stringify({ wrongUs: firstWrongUs, done }));
process.exit(0);

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CAN_RTR_FLAG } from '@fleetlog/shared/can';
import { systemClock } from '@fleetlog/shared/util';
import { loadLibc } from '#gateway/sources/socketcan/libc.js';
import type { GatewayReport } from '#gateway/control/status.js';
import { MeasuredGateway } from './measured-gateway.js';
import { until } from './until.js';

/*
 * Runs within a guest that has CAN (uml.ts): `fleetlog-gateway` on virtual interfaces, and what canplayer, cangen, cansend
 * and ip do to them. There is no cloud here: all that is captured stays in the buffer, which who started the guest
 * forwards. Writes what was sent to the file that is its argument.
 */
const result = process.argv[2];
const folder = dirname(result);
const reference = join(folder, 'reference.candump');
/** Each step takes a second here; a machine under load takes more. */
const PATIENCE_MS = 60_000;

const run = (command: string, ...parameters: string[]): number | null =>
  spawnSync(command, parameters, { stdio: 'inherit' }).status;
const pause = (ms: number): Promise<void> => systemClock.sleep(ms);

function plug(name: string): void {
  run('ip', 'link', 'add', 'dev', name, 'type', 'vcan');
  run('ip', 'link', 'set', name, 'mtu', '72', 'up');
}

/** Frames of 8 bytes whose DLC says more: Debian 12's cansend doesn't know them. */
function sendRawDlc(name: string, id: number, dlc: number): void {
  const libc = loadLibc();
  const [family, type, protocol] = [29, 3, 1]; // AF_CAN, SOCK_RAW, CAN_RAW
  const address = Buffer.alloc(24);
  address.writeUInt16LE(family, 0);
  address.writeInt32LE(libc.interfaceIndex(name), 4);
  const frame = Buffer.from('00000000080000001122334455667788', 'hex');
  frame.writeUInt32LE(id, 0);
  frame[7] = dlc;
  const fd = libc.socket(family, type, protocol);
  libc.bind(fd, address, address.length);
  writeSync(fd, frame);
  libc.close(fd);
}

/** Sockets that take frames of an interface, by the kernel: each of the gateway's takes error frames, too. */
const listeners = (name: string): number =>
  readFileSync('/proc/net/can/rcvlist_err', 'utf8').match(new RegExp(`^ *${name} `, 'gm'))?.length ?? 0;
const listens = async (name: string, sockets = 1): Promise<void> => {
  await until(
    `${sockets} listen on ${name}`,
    () => listeners(name) === sockets || pause(50).then(() => false),
    PATIENCE_MS,
  );
};

type Counters = NonNullable<GatewayReport['streams'][number]['source']>;
const countersOf = (report: GatewayReport, name: string): Counters =>
  report.streams.find(({ stream }) => stream === name)!.source!;
const captured = (gateway: MeasuredGateway, name: string, count: number): Promise<GatewayReport> =>
  gateway.reports(
    `${count} frames of ${name}`,
    (report) => {
      const { records, overruns = 0 } = countersOf(report, name);
      return records + overruns >= count;
    },
    PATIENCE_MS,
  );

async function candump(): Promise<ChildProcess> {
  const child = spawn('sh', ['-c', `exec candump -L -D -r 16777216 vcan0,0:0,#FFFFFFFF > ${reference}`], {
    stdio: 'ignore',
  });
  await listens('vcan0', 3);
  return child;
}

const heard = (): number => readFileSync(reference, 'utf8').split('\n').length - 1;

/** A vehicle of `fleetlog-sim` on the bus, until it has said something. Returns how many frames that was. */
async function simulatedVehicle(before: number): Promise<number> {
  await until(
    'candump has written all',
    () => heard() === before || pause(50).then(() => false),
    PATIENCE_MS,
  );
  const sim = fileURLToPath(import.meta.resolve('#sim/cli/bin.js'));
  const vehicle = spawn(process.execPath, [sim, 'stream', '--format', 'candump', '--to', 'can:vcan0'], {
    stdio: 'inherit',
  });
  const ended = once(vehicle, 'exit');
  await until('a vehicle speaks', () => heard() > before + 500 || pause(50).then(() => false), PATIENCE_MS);
  vehicle.kill('SIGTERM');
  await ended;
  run('cansend', 'vcan0', '7FE#98');
  await until('its last frame', () => readFileSync(reference, 'utf8').endsWith(' 7FE#98\n'), PATIENCE_MS);
  return heard() - before;
}

/** Returns how many frames the simulated vehicle sent. */
async function everySortOfFrame(gateway: MeasuredGateway): Promise<number> {
  const witness = await candump();
  const drive = join(folder, 'drive.candump');
  run('canplayer', '-t', '-I', drive, 'vcan0=can0');
  const bySimulator = await simulatedVehicle(readFileSync(drive, 'utf8').trimEnd().split('\n').length);
  run('cangen', 'vcan0', '-g', '0', '-n', '5000', '-I', 'i', '-L', '8', '-D', 'r');
  run('cangen', 'vcan0', '-g', '0', '-n', '2000', '-f', '-b', '-m'); // CAN FD, with and without bit rate switch
  run('cangen', 'vcan0', '-g', '1', '-n', '200', '-m', '-R');
  run('cansend', 'vcan0', '123#R4');
  sendRawDlc('vcan0', 0x7a5, 15);
  sendRawDlc('vcan0', 0x125 + CAN_RTR_FLAG, 14);
  for (const extended of ['18FEF100#03', '18FEF101#04']) run('cansend', 'vcan0', extended);
  run('cansend', 'vcan0', '20000004#0008000000000000'); // an error frame: the controller warns
  run('cansend', 'vcan0', '20000040#0000000000000000'); // another: bus-off
  run('cansend', 'vcan0', '7FE#99');
  await until('the last frame', () => readFileSync(reference, 'utf8').includes(' 7FE#99\n'), PATIENCE_MS);
  witness.kill();
  await captured(gateway, 'all', heard());
  return bySimulator;
}

/** Frames carry their number. The kernel tells of a hole with the next frame that it has room for. */
async function overload(gateway: MeasuredGateway): Promise<number> {
  let sent = 20_000;
  run('cangen', 'vcan1', '-g', '0', '-n', `${sent}`, '-I', '100', '-L', '8', '-D', 'i');
  await until(
    'it has caught up',
    async () => {
      const { records, overruns = 0 } = countersOf((await gateway.report())!, 'small');
      if (overruns > 0 && records + overruns === sent) return true;
      run('cansend', 'vcan1', '101#');
      sent++;
      await pause(500);
      return false;
    },
    PATIENCE_MS,
  );
  return sent;
}

async function comesAndGoes(gateway: MeasuredGateway): Promise<void> {
  plug('vcan2');
  await listens('vcan2');
  run('cansend', 'vcan2', '001#01');
  await captured(gateway, 'late', 1);
  run('ip', 'link', 'set', 'vcan2', 'down');
  await listens('vcan2', 0);
  run('ip', 'link', 'set', 'vcan2', 'up');
  await listens('vcan2');
  run('cansend', 'vcan2', '002#02');
  await captured(gateway, 'late', 2);
  run('ip', 'link', 'delete', 'vcan2');
  await listens('vcan2', 0);
  plug('vcan2');
  await listens('vcan2');
  run('cansend', 'vcan2', '003#03');
  await captured(gateway, 'late', 3);
}

plug('vcan0');
plug('vcan1');
const socketcan = (name: string, more: object = {}): object => ({
  source: 'socketcan',
  interface: name,
  batch: { linger: '100ms' },
  ...more,
});
{
  await using gateway = await MeasuredGateway.start(folder, {
    uplink: { url: 'mqtt://127.0.0.1:1' },
    streams: {
      all: socketcan('vcan0'),
      some: socketcan('vcan0', { filters: ['120/7F0', '18FEF100'] }),
      small: socketcan('vcan1', { receiveBuffer: '16KiB' }),
      late: socketcan('vcan2'),
    },
  });
  await listens('vcan0', 2);
  await listens('vcan1');
  const bySimulator = await everySortOfFrame(gateway);
  const small = await overload(gateway);
  await comesAndGoes(gateway);
  const buses = (await gateway.report())!.streams.find(({ stream }) => stream === 'all')!.buses;
  writeFileSync(result, JSON.stringify({ bySimulator, small, buses }));
}
process.exit(0);

import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { checkConfig } from '@fleetlog/shared/config';
import { systemClock } from '@fleetlog/shared/util';
import { createBus } from '#gateway/bus/create-bus.js';
import { StreamConfig } from '#gateway/sources/config.js';
import { askKernel } from '#gateway/sources/socketcan/ask-kernel.js';
import { answeredError, listCanLinks, restartRequest } from '#gateway/sources/socketcan/netlink.js';
import { checkCan } from '#gateway/doctor/can.js';
import { CollectingSink } from './collecting-sink.js';
import { sourceOf } from './source-options.js';
import { until } from './until.js';

/*
 * Runs within a guest that has CAN (uml.ts): the doctor on a real kernel's interfaces, and the statistics of a SocketCAN source
 * beside canbusload. Writes what it saw to the file that is its argument; who started the guest judges.
 */
const ip = (...words: string[]): number | null => spawnSync('ip', words, { stdio: 'inherit' }).status;
const look = async (wanted: string[]): Promise<string[]> =>
  (await checkCan(askKernel, wanted, systemClock)).findings.map(({ verdict, says }) => `${verdict} ${says}`);

const nothing = await look(['vcan0']);
ip('link', 'add', 'dev', 'vcan0', 'type', 'vcan');
const down = await look(['vcan0']);
ip('link', 'set', 'vcan0', 'mtu', '72', 'up');
const silent = await look(['vcan0']);
const [link] = listCanLinks(askKernel());
const restart = answeredError(askKernel()(restartRequest(link.index)));

const bus = createBus(
  checkConfig(StreamConfig, { source: 'socketcan', interface: 'vcan0', bitrate: 500_000 }, 'guest'),
  systemClock,
)!;
const events: string[] = [];
const stop = new AbortController();
const source = sourceOf(
  { source: 'socketcan', interface: 'vcan0', batch: { linger: '100ms' } },
  { clock: systemClock, events: { note: (type) => void events.push(type) }, statistics: bus.statistics },
);
const ended = source.run(new CollectingSink(), undefined, stop.signal);
await until('it listens', () => events.includes('can.opened'), 60_000);

interface Load {
  frames: number;
  bits: number;
}
/** Of the seconds that canbusload tells, those with traffic throughout. */
const theirs: Load[] = [];
const busload = spawn('canbusload', ['-e', 'vcan0@500000'], { stdio: ['ignore', 'pipe', 'inherit'] });
let text = '';
busload.stdout.on('data', (chunk: Buffer) => {
  text += chunk.toString();
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
    const match = /vcan0@500000\s+(\d+)\s+(\d+)/.exec(text.slice(0, end));
    if (match) theirs.push({ frames: Number(match[1]), bits: Number(match[2]) });
    text = text.slice(end + 1);
  }
});
// The same frame again and again: its stuff bits are known exactly.
const cangen = spawn('cangen', ['vcan0', '-g', '4', '-I', '123', '-L', '8', '-D', '00000000FFFFFF1F'], {
  stdio: 'ignore',
});
await until('canbusload tells', () => theirs.filter(({ frames }) => frames > 20).length >= 4, 60_000);
const heard = await look(['vcan0']);
const ours = bus.watch.report();
const ids = bus.watch.identifiers();
cangen.kill();
busload.kill();
stop.abort();
await ended;
writeFileSync(
  process.argv[2],
  JSON.stringify({
    nothing,
    down,
    silent,
    heard,
    restart,
    theirs,
    ours,
    ids,
  }),
);
process.exit(0);

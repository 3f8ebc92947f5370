// A process to be killed: appends to the log in argv[2] as fast as it can, in groups whose note says what the log
// holds then, and prints what it was told is durable: `partition offset`, one pair a line.
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { openLog } from '#cloud/log/rocksdb-log.js';

const log = await openLog({ path: process.argv[2], partitions: 2, logger: silentLogger, clock: systemClock });
const next = log.ends().map((ends) => ends.next);
for (;;) {
  const entries = Array.from({ length: 12 }, (_, i) => {
    const partition = i % 2;
    const text = `${partition}:${next[partition]++}`;
    return { partition, receiveTimeUs: systemClock.nowUs(), bytes: Buffer.from(text.padEnd(1 + 300 * i)) };
  });
  const offsets = await log.append(entries, [{ key: 'next', value: Buffer.from(JSON.stringify(next)) }]);
  process.stdout.write(`${entries[11].partition} ${offsets[11]}\n`);
}

// A process to be killed: takes over the log in a topic (argv: folder, topic, replicas, brokers), and appends as fast
// as it can, in groups whose note says what the log holds then. Prints what it was told is durable: how many entries
// of partition 0. A refusal that passes is tried again with the same entries, as ingest does.
import { isFleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { openKafkaLog } from '#cloud/log/kafka/open-kafka-log.js';

const [path, topic, replicas, brokers] = process.argv.slice(2);
const log = await openKafkaLog({
  path,
  topic,
  brokers: brokers.split(','),
  clientId: 'fleetlog-writer',
  partitions: 2,
  replicas: Number(replicas),
  logger: silentLogger,
  clock: systemClock,
});
const noted = await log.note('count');
let count = noted ? Number(Buffer.from(noted).toString()) : 0;
process.stdout.write(`${count}\n`);
for (;;) {
  const entries = Array.from({ length: 12 }, (_, i) => {
    const text = `${i % 2}:${count + (i >> 1)}`.padEnd(1 + 300 * i);
    return { partition: i % 2, receiveTimeUs: systemClock.nowUs(), bytes: Buffer.from(text) };
  });
  const next = count + 6;
  try {
    await log.append(entries, [{ key: 'count', value: Buffer.from(String(next)) }]);
    count = next;
    process.stdout.write(`${count}\n`);
  } catch (error) {
    if (!isFleetlogError(error) || !error.retryable) throw error;
    await systemClock.sleep(100);
  }
}

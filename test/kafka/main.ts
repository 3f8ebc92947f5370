import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { whyNoKafka } from '../support/kafka/jars.js';
import { Kafka } from '../support/kafka/kafka.js';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1' },
    port: { type: 'string', default: '9092' },
    data: { type: 'string', default: '.fleetlog-kafka' },
  },
});
const missing = whyNoKafka();
if (missing) {
  process.stderr.write(`npm run kafka ${missing}.\n`);
  process.exit(1);
}
const nodes = Number(values.nodes);
const first = Number(values.port);
const ports = Array.from({ length: nodes }, (_, i) => [first + i, first + 100 + i]).flat();
const folder = join(process.cwd(), values.data);
await mkdir(folder, { recursive: true });
process.stdout.write('Starting Kafka; the first time it is fetched.\n');
await using kafka = await Kafka.start(folder, nodes, ports);
process.stdout.write(`Kafka at ${kafka.brokers.join(', ')}, data in ${values.data}; Ctrl-C ends it.\n`);
await new Promise((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve));

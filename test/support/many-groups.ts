// A process of its own in which argv[3] groups read the cloud at argv[2] from its end on, each as a consumer would that
// does nothing with its batches. Prints a line when all have joined, and at SIGTERM what they have read, as JSON.
import { systemClock } from '@fleetlog/shared/util';
import { ApiClient } from '#cloud/client/api-client.js';
import { MemberConnection } from '#cloud/client/member.js';

const [url, count] = process.argv.slice(2);
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const api = new ApiClient(url);
let joined = 0;
const batches: number[] = [];

await Promise.all(
  Array.from({ length: Number(count) }, async (_, i) => {
    const member = new MemberConnection(api, systemClock, { group: `many-${i}`, from: 'latest' });
    batches[i] = 0;
    for await (const event of member.events(stop.signal)) {
      if (event.event === 'joined' && ++joined === Number(count)) process.stdout.write('joined\n');
      if (event.event === 'batch') {
        batches[i]++;
        member.finish(event.partition, event.offset + 1);
      }
    }
    await member.close();
  }),
);
process.stdout.write(`${JSON.stringify(batches)}\n`);

// A process of its own that writes argv[3] small batches of many gateways straight into the log of the data folder in
// argv[2], as ingest would have, behind the argv[4] batches that it wrote there before.
import { join } from 'node:path';
import { encodeBatch } from '@fleetlog/shared/batch';
import { silentLogger } from '@fleetlog/shared/log';
import { RangeSet, systemClock } from '@fleetlog/shared/util';
import { heldKey, heldNote } from '#cloud/ingest/held.js';
import type { LogAppend } from '#cloud/log/log.js';
import { openLog } from '#cloud/log/rocksdb-log.js';
import { headerFor } from './batches.js';

const gatewayCount = 100;
const groupBatches = 10_000;
const folder = process.argv[2];
const first = Number(process.argv[4] ?? 0);
const end = first + Number(process.argv[3]);
const epoch = 'f111f111f111f111';

await using log = await openLog({ path: join(folder, 'log'), logger: silentLogger, clock: systemClock });
const payload = Buffer.alloc(40, 'fill');
for (let done = first; done < end; done += groupBatches) {
  const entries: LogAppend[] = [];
  for (let i = done; i < Math.min(end, done + groupBatches); i++) {
    const gateway = `fill-${i % gatewayCount}`;
    const facts = { gateway, epoch, sequence: Math.floor(i / gatewayCount), stream: 'gps0' };
    const timeUs = 1_700_000_000_000_000 + facts.sequence * 1e6;
    const header = headerFor(
      {
        kind: 'lines',
        codec: 'lines-1',
        payload,
        rawBytes: payload.length,
        recordCount: 10,
        firstTimeUs: timeUs,
        lastTimeUs: timeUs + 900_000,
      },
      facts,
    );
    const bytes = encodeBatch(header, payload);
    entries.push({ partition: log.partitionOf(gateway), receiveTimeUs: systemClock.nowUs(), bytes });
  }
  const held = new RangeSet([[0, Math.floor((done + entries.length) / gatewayCount) - 1]]);
  const notes = Array.from({ length: gatewayCount }, (_, g) =>
    heldNote(heldKey({ gateway: `fill-${g}`, epoch, stream: 'gps0' }), held),
  );
  await log.append(entries, notes);
}

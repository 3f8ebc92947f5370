import { join } from 'node:path';
import type { GroupList } from '#cloud/api/group-schemas.js';
import { CloudProcess } from '../support/cloud-process.js';
import { startLoad, type LoadReport } from '../support/load-generator.js';
import { ended, start } from '../support/run-command.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';
import type { BenchRow } from './row.js';

const groups = 100;
const rounds = 3;
const load = { gateways: 20, window: 4, framesPerBatch: 2000, warmUpSeconds: 2, seconds: 8 };

/** What many groups that follow the end of the log cost ingest: the same load by turns without and with them. */
export async function benchGroups(): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench');
  await using cloud = await CloudProcess.serve(join(folder.path, 'data'));
  const alone: number[] = [];
  const beside: number[] = [];
  const lags: number[] = [];
  let run = 1;
  const ingest = (): Promise<LoadReport> =>
    startLoad({ ...load, host: '127.0.0.1', port: cloud.mqttPort, run: run++ });
  for (let round = 0; round < rounds; round++) {
    alone.push(rate(await ingest()));
    const reader = start('test/dist/support/many-groups.js', [cloud.httpUrl, String(groups)]);
    let said = '';
    reader.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const end = ended(reader);
    await until('all groups have joined', () => said.includes('joined'), 60_000);
    beside.push(rate(await ingest()));
    lags.push(await mostBehind(cloud));
    reader.kill('SIGTERM');
    await end;
  }
  const on = `20 connections with 4 batches of 2,000 frames unacknowledged each; cloud, load and readers on one machine; median of ${rounds}`;
  const [without, withThem] = [median(alone), median(beside)];
  return [
    { name: 'acknowledged without groups', value: without, unit: 'batches/s', on },
    { name: `acknowledged beside ${groups} groups`, value: withThem, unit: 'batches/s', on: 'the same' },
    { name: 'what they cost', value: 100 * (1 - withThem / without), unit: '%', on: 'the same' },
    {
      name: 'the group that is farthest behind',
      value: median(lags),
      unit: 'batches',
      on: 'as the load ends',
    },
  ];
}

async function mostBehind({ httpUrl }: CloudProcess): Promise<number> {
  const { groups: all } = (await (await fetch(`${httpUrl}/v1/groups`)).json()) as GroupList;
  return Math.max(...all.map(({ lagBatches }) => lagBatches));
}

const rate = ({ batches, seconds }: LoadReport): number => batches / seconds;
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1];

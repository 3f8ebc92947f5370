import assert from 'node:assert/strict';
import { decodeBatch, decodePlain } from '@fleetlog/shared/batch';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { LogClient } from '#cloud/client/index.js';
import { SequenceReader } from '#cloud/client/sequence-reader.js';
import { messageText } from '../support/dbc.js';
import { append, candumpBatches, canBatch, gapBatch, lineBatch } from '../support/recorded.js';
import { ended, start, type Ended } from '../support/run-command.js';
import { serveCloud, type ServingCloud } from '../support/serving-cloud.js';
import { until } from '../support/until.js';

const bin = 'cloud/dist/cli/fleetlog-bin.js';
const gateway = 'truck-17';
const all = ['--from', 'earliest', '--until-end'];

const run = ({ api }: ServingCloud, ...parameters: string[]): Promise<Ended> =>
  ended(start(bin, parameters, { FLEETLOG_URL: api.url }));

const lines = ({ stdout, stderr }: Ended): Record<string, unknown>[] => {
  assert.equal(stderr, '');
  const text = stdout.toString().trimEnd();
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
};

const second = 1_500_000_000_000_000;
/** Two batches of frames, one of lines between them, and a gap record. */
async function fill({ log }: ServingCloud): Promise<void> {
  await append(log, [
    canBatch([second, second + 1000], { gateway, sequence: 0 }),
    lineBatch([{ timeUs: second + 10, text: '$GPGGA,1\n' }], { gateway }),
    canBatch([second + 2000], { gateway, sequence: 1 }),
    gapBatch(2, 4, 'buffer-full', { gateway }),
  ]);
}

describe('fleetlog consume', () => {
  it('gives batches as they begin in event time, merged over gateways', async () => {
    await using cloud = await serveCloud();
    const { log } = cloud;
    const receivedUs = 1_790_000_000_000_000;
    const arrive = (name: string, sequence: number, atUs: number, afterUs: number): Promise<number[]> =>
      append(log, [canBatch([second + atUs], { gateway: name, sequence })], {
        gateway: name,
        receiveTimeUs: receivedUs + afterUs,
      });
    await arrive('truck-17', 1, 5000, 0);
    await arrive('van-8', 0, 3000, 10);
    await arrive('truck-17', 0, 4000, 20);
    const ordered = ['consume', '--group', 'ordered', '--order', 'event-time', ...all, '--commit'];
    const names = lines(await run(cloud, ...ordered)).map(
      ({ gateway: of, sequence }) => `${String(of)} ${String(sequence)}`,
    );
    assert.deepEqual(names, ['van-8 0', 'truck-17 0', 'truck-17 1']);
    const again = await run(cloud, 'consume', '--group', 'ordered', '--order', 'event-time', '--until-end');
    assert.deepEqual(lines(again), [], 'all is committed');

    const client = new LogClient(cloud.api.url);
    const seen: number[] = [];
    const options = { group: 'client', from: 'earliest', order: 'event-time', untilEnd: true } as const;
    for await (const { header, late } of client.read(options)) {
      seen.push(header.firstTimeUs - second);
      assert.equal(late, false);
    }
    assert.deepEqual(seen, [3000, 4000, 5000]);
    const alone = await run(cloud, 'consume', '--group', 'x', '--wait', '1s', ...all);
    assert.equal(alone.status, 2);
    assert.match(alone.stderr, /--wait goes with --order event-time/);
    const response = await fetch(`${cloud.api.url}/v1/consume?group=x&order=event-time&wait=8d`);
    assert.equal(response.status, 400);
    assert.match(await response.text(), /a week/);
  });

  it('gives values of signals, with the database of their time, with names, units and labels', async () => {
    await using cloud = await serveCloud();
    const { catalogue, log } = cloud;
    const at = { gateway, stream: 'can0', version: undefined };
    const tail = 'VAL_ 256 Temp 90 "warm" ;';
    for (const [name, factor, fromUs, toUs] of [
      ['old', 1, undefined, second + 2000],
      ['new', 2, second + 2000, undefined],
    ] as const) {
      const text = messageText([`Temp : 0|8@1+ (${factor},0) [0|0] "C" Node`], 'BO_ 256 Engine: 8 Node');
      const bytes = Buffer.from(`${text}\n${tail}\n`);
      await catalogue.add({ name, file: '', bytes, ignoreErrors: false, nowUs: 0 });
      await catalogue.assign({ ...at, database: name, fromUs, toUs }, { replace: false });
    }
    const frames = (...all: [ms: number, temp: number][]): Buffer =>
      Buffer.from(
        all.map(([ms, temp]) => `(1500000000.00${ms}000) can0 100#${temp.toString(16)}\n`).join(''),
      );
    await append(log, candumpBatches(frames([0, 90], [2, 90], [1, 20]), { gateway }, 3));
    await append(log, [
      canBatch([second], { gateway: 'van-8' }),
      lineBatch(
        [
          {
            timeUs: second,
            text: '$GPGGA,092725.00,4717.11399,N,00833.91590,E,1,08,1.01,499.6,M,48.0,M,,*5B\r\n',
          },
        ],
        {
          gateway,
        },
      ),
    ]);
    const said = lines(
      await run(cloud, 'consume', '--group', 'g', ...all, '--decode', 'signals', '--commit'),
    );
    const temps = said.filter(({ signal }) => signal === 'can0/Engine/Temp');
    assert.deepEqual(
      temps.map(({ gateway: of, stream, time, value, unit, label }) => [
        of,
        stream,
        time,
        value,
        unit,
        label,
      ]),
      [
        [gateway, 'can0', '2017-07-14T02:40:00.000000Z', 90, 'C', 'warm'],
        [gateway, 'can0', '2017-07-14T02:40:00.001000Z', 20, 'C', undefined],
        [gateway, 'can0', '2017-07-14T02:40:00.002000Z', 180, 'C', 'warm'],
      ],
    );
    assert.ok(
      said.some(({ signal, unit }) => signal === 'gps0/GGA/altitude' && unit === 'm'),
      JSON.stringify(said),
    );
    assert.ok(
      said.every(({ gateway: of }) => of === gateway),
      'where no database applies there are no values',
    );
    assert.match(
      (await run(cloud, 'consume', '--group', 'g', '--decode', 'signals', '--format', 'candump')).stderr,
      /choose --format ndjson/,
    );
  });

  it('prints a line for each batch, and the next run goes on behind what was committed', async () => {
    await using cloud = await serveCloud();
    await fill(cloud);
    const first = lines(await run(cloud, 'consume', '--group', 'g', ...all, '--commit'));
    assert.deepEqual(
      first.map(({ offset, stream, records, gapTo }) => [offset, stream, records, gapTo]),
      [
        [0, 'can0', 2, undefined],
        [1, 'gps0', 1, undefined],
        [2, 'can0', 1, undefined],
        [3, 'can0', 100, 4],
      ],
    );
    assert.equal(decodeBatch(Buffer.from(first[2].bytes as string, 'base64')).header.sequence, 1);
    assert.deepEqual(lines(await run(cloud, 'consume', '--group', 'g', '--until-end')), []);
    await append(cloud.log, [canBatch([second + 3000], { gateway, sequence: 5 })]);
    const next = lines(await run(cloud, 'consume', '--group', 'g', '--until-end', '--commit', 'on-exit'));
    assert.deepEqual(
      next.map(({ offset }) => offset),
      [4],
    );
  });

  it('without --commit everything comes again', async () => {
    await using cloud = await serveCloud();
    await fill(cloud);
    for (let i = 0; i < 2; i++) {
      const seen = lines(await run(cloud, 'consume', '--group', 'g', ...(i === 0 ? all : ['--until-end'])));
      assert.equal(seen.length, 4);
    }
  });

  it('prints records as JSON, as candump, and batches as a CBOR sequence', async () => {
    await using cloud = await serveCloud();
    await fill(cloud);
    const records = lines(await run(cloud, 'consume', '--group', 'a', ...all, '--decode'));
    assert.deepEqual(
      records.map(({ stream, text, data }) => [stream, text ?? data]),
      [
        ['can0', '0000000000000000'],
        ['can0', '0000000000000001'],
        ['gps0', '$GPGGA,1'],
        ['can0', '0000000000000000'],
      ],
    );
    const candump = await run(cloud, 'consume', '--group', 'b', ...all, '--format', 'candump');
    assert.equal(
      candump.stdout.toString(),
      '(1500000000.000000) can0 100#0000000000000000\n(1500000000.001000) can0 101#0000000000000001\n' +
        '(1500000000.002000) can0 100#0000000000000000\n',
    );
    const cbor = await run(cloud, 'consume', '--group', 'c', ...all, '--format', 'cbor', '--stream', 'gps0');
    const item = decodePlain(cbor.stdout, { depthMax: 2, itemsMax: 100 }) as Map<string, unknown>;
    assert.equal(item.get('offset'), 1);
    assert.equal(decodeBatch(item.get('bytes') as Uint8Array).header.stream, 'gps0');
  });

  it('refuses what makes no sense with status 2, and says what to do', async () => {
    await using cloud = await serveCloud();
    for (const [parameters, message] of [
      [['--group', 'g', '--format', 'cbor', '--decode'], /leave out --decode/],
      [['--group', 'G/1'], /can't be the name of a group/],
      [['--group', 'g', '--commit', 'sometimes'], /each, on-exit, or a number/],
      [['--group', 'g', '--from', 'yesterday'], /isn't a time/],
      [[], /required option '--group <name>'/],
    ] as const) {
      const { status, stderr } = await run(cloud, 'consume', ...parameters);
      assert.equal(status, 2, stderr);
      assert.match(stderr, message);
    }
  });

  it('ends on SIGTERM with status 0, having committed what it printed', async () => {
    await using cloud = await serveCloud();
    await fill(cloud);
    const parameters = ['consume', '--group', 'g', '--from', 'earliest', '--commit', 'on-exit'];
    const child = start(bin, parameters, { FLEETLOG_URL: cloud.api.url });
    let printed = 0;
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString().split('\n').length - 1));
    await until('all is printed', () => printed === 4, 30_000);
    child.kill('SIGTERM');
    assert.equal((await ended(child)).status, 0);
    const { partitions } = cloud.groups.state('g');
    assert.ok(partitions.every(({ next, end }) => next === end));
  });

  it('groups: lists lag, resets with a dry run first, and deletes', async () => {
    await using cloud = await serveCloud();
    await fill(cloud);
    assert.match((await run(cloud, 'groups')).stdout.toString(), /^There are no groups yet/);
    await run(cloud, 'consume', '--group', 'g', ...all, '--commit');
    assert.match((await run(cloud, 'groups')).stdout.toString(), /\ng +0 +0 batches +0 s +20/);
    const reset = ['groups', 'reset', '--group', 'g', '--to', 'earliest'];
    const dry = await run(cloud, ...reset, '--dry-run');
    assert.match(dry.stdout.toString(), / 4 +0 +4\n(.*\n)*Nothing was changed/);
    assert.equal(lines(await run(cloud, 'groups', '--json')).length, 1);
    assert.equal(
      cloud.groups.state('g').partitions.reduce((sum, { next, end }) => sum + end - next, 0),
      0,
    );
    await run(cloud, ...reset);
    assert.match((await run(cloud, 'groups', '--group', 'g')).stdout.toString(), /\ng +0 +4 batches/);
    const metrics = await (await fetch(`${cloud.api.url}/metrics`)).text();
    const partition = cloud.log.partitionOf(gateway);
    assert.ok(metrics.includes(`fleetlog_group_lag_batches{group="g",partition="${partition}"} 4\n`));
    assert.equal((await run(cloud, 'groups', 'delete', '--group', 'g')).status, 0);
    const gone = await run(cloud, 'groups', '--group', 'g');
    assert.equal(gone.status, 2);
    assert.match(gone.stderr, /There is no group g/);
  });
});

describe('the client', () => {
  it('a consumer in a few lines: each batch once, finished when the next is asked for', async () => {
    await using cloud = await serveCloud();
    await fill(cloud);
    const log = new LogClient(cloud.api.url);
    const counts: number[] = [];
    for await (const batch of log.read({ group: 'g', from: 'earliest', untilEnd: true })) {
      counts.push(batch.records()?.columns.count ?? 0);
    }
    assert.deepEqual(counts, [2, 1, 1, 0]);
    const { partitions } = cloud.groups.state('g');
    assert.ok(partitions.every(({ next, end }) => next === end));
  });

  it('a batch under way when the consumer failed comes again', async () => {
    await using cloud = await serveCloud();
    await fill(cloud);
    const log = new LogClient(cloud.api.url);
    const offsets: number[] = [];
    const attempt = async (): Promise<void> => {
      for await (const { offset } of log.read({ group: 'g', from: 'earliest', untilEnd: true })) {
        offsets.push(offset);
        if (offset === 2 && offsets.length === 3) throw new Error('as if it crashed');
      }
    };
    await assert.rejects(attempt(), /crashed/);
    await attempt();
    assert.ok(offsets.slice(3).includes(2));
    assert.equal(offsets.at(-1), 3);
  });

  it('fails at once where no cloud answers', async () => {
    const log = new LogClient('http://127.0.0.1:9');
    await assert.rejects(log.read({ group: 'g' }).next(), (error) =>
      isFleetlogError(error, 'FLEETLOG_UNREACHABLE'),
    );
  });

  it('takes a sequence apart however it was cut', () => {
    const items = [0, 1, 23, 24, 255, 256, 70_000].map((length) => Buffer.alloc(length, length % 251));
    const heads = [[0x40], [0x41], [0x57], [0x58, 24], [0x58, 255], [0x59, 1, 0], [0x5a, 0, 1, 0x11, 0x70]];
    const whole = Buffer.concat(items.flatMap((item, i) => [Buffer.from(heads[i]), item]));
    for (const size of [1, 2, 3, 7, 1000, whole.length]) {
      const reader = new SequenceReader();
      const found: Buffer[] = [];
      for (let at = 0; at < whole.length; at += size) {
        for (const item of reader.take(whole.subarray(at, at + size))) found.push(Buffer.from(item));
      }
      assert.deepEqual(found, items, `in pieces of ${size}`);
    }
    assert.throws(() => [...new SequenceReader().take(Buffer.from('<html>'))], /isn't a sequence/);
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { RangeSet } from '@fleetlog/shared/util';
import type { LogEntry } from '#cloud/log/log.js';
import { append, canBatch, candumpBatches, gapBatch, lineBatch } from '../support/recorded.js';
import { ended, start, type Ended } from '../support/run-command.js';
import { serveCloud, type ServingCloud } from '../support/serving-cloud.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const bin = 'cloud/dist/cli/fleetlog-bin.js';
const epoch = '0011223344556677';
const gateway = 'truck-17';
const header = { gateway, epoch };
const can = ['--gateway', gateway, '--stream', 'can0'];

/** Changes a batch in the log, or changes it back. */
async function flipBit({ log }: ServingCloud, offset: number): Promise<void> {
  const [{ bytes }] = (await log.get(log.partitionOf(gateway), [offset])) as [LogEntry];
  bytes[bytes.length - 10] ^= 1;
}

const run = ({ api }: ServingCloud, ...parameters: string[]): Promise<Ended> =>
  ended(start(bin, parameters, { FLEETLOG_URL: api.url }));

/** A recording as candump writes it, 1 ms from frame to frame. */
function recording(frames: number): Buffer {
  const lines = Array.from({ length: frames }, (_, i) => {
    const time = `${1_500_000_000 + Math.floor(i / 1000)}.${String((i % 1000) * 1000).padStart(6, '0')}`;
    return `(${time}) can0 ${(0x100 + (i % 50)).toString(16).toUpperCase()}#${i.toString(16).toUpperCase().padStart(16, '0')}\n`;
  });
  return Buffer.from(lines.join(''));
}

async function withDrive(
  frames: number,
  use: (cloud: ServingCloud, text: Buffer) => Promise<void>,
): Promise<void> {
  await using cloud = await serveCloud();
  const text = recording(frames);
  await append(cloud.log, candumpBatches(text, header, 1000));
  await use(cloud, text);
}

describe('fleetlog', () => {
  it('lists gateways and streams, for people and as JSON', async () => {
    await withDrive(2500, async (cloud) => {
      const streams = await run(cloud, 'streams');
      assert.equal(streams.stderr, '');
      assert.equal(streams.status, 0);
      const [title, row] = streams.stdout.toString().split('\n');
      assert.match(
        title,
        /^gateway +stream +kind +first record +last record +batches +records +bytes +B\/record/,
      );
      assert.match(row, /^truck-17 +can0 +can +2017-07-14 02:40:00Z +2017-07-14 02:40:02Z +3 +2,500 +/);
      const json = await run(cloud, 'streams', '--gateway', gateway, '--json');
      assert.equal((JSON.parse(json.stdout.toString()) as { records: number }[])[0].records, 2500);
      const gateways = await run(cloud, '--json', 'gateways');
      assert.equal((JSON.parse(gateways.stdout.toString()) as { streams: number }[])[0].streams, 1);
      assert.match((await run(cloud, 'gateways')).stdout.toString(), /^gateway +connected.*\ntruck-17 +no /);
    });
  });

  it('says so where there is nothing yet', async () => {
    await using cloud = await serveCloud();
    assert.equal((await run(cloud, 'gateways')).stdout.toString(), 'No gateway has sent anything yet.\n');
    assert.equal((await run(cloud, 'streams')).stdout.toString(), 'No stream has come in yet.\n');
    assert.equal((await run(cloud, 'gaps')).stdout.toString(), '0 streams, 0 batches held, 0 missing\n');
  });

  it('answers gaps with 0 where each has a reason, and with 3 where one has none', async () => {
    await using cloud = await serveCloud();
    await append(cloud.log, [gapBatch(3, 4, 'buffer-full', header)]);
    const held = new RangeSet([[0, 6]]);
    cloud.fleet.sequences = [{ gateway, epoch, stream: 'can0', held }];
    const explained = await run(cloud, 'gaps');
    assert.equal(explained.status, 0);
    assert.match(explained.stdout.toString(), /^truck-17 +can0 +\w+ +3-4 +explained +buffer-full +100 /m);
    assert.match(explained.stdout.toString(), /\n1 stream, 5 batches held, 2 explained, 0 missing\n$/);
    held.add(9);
    const missing = await run(cloud, 'gaps', ...can);
    assert.equal(missing.status, 3);
    assert.equal(missing.stderr, '');
    assert.match(missing.stdout.toString(), /^truck-17 +can0 +\w+ +7-8 +missing$/m);
    const json = JSON.parse((await run(cloud, 'gaps', '--json')).stdout.toString()) as { batches: object };
    assert.deepEqual(json.batches, { explained: 2, pending: 0, trimmed: 0, missing: 2 });
  });

  it('exports byte for byte to stdout and to a file', async () => {
    await withDrive(20_000, async (cloud, text) => {
      await using folder = await tempFolder('cli');
      const file = join(folder.path, 'drive.candump');
      const piped = await run(cloud, 'export', ...can, '--format', 'candump');
      assert.equal(piped.status, 0, piped.stderr);
      assert.ok(piped.stdout.equals(text));
      const written = await run(cloud, 'export', ...can, '--output', file, '--json');
      assert.equal(written.status, 0, written.stderr);
      assert.ok(readFileSync(file).equals(text));
      assert.equal(existsSync(`${file}.part`), false);
      assert.equal((JSON.parse(written.stdout.toString()) as { bytes: number }).bytes, text.length);
      const onFolder = await run(cloud, 'export', ...can, '--output', folder.path);
      assert.equal(onFolder.status, 2);
      assert.match(onFolder.stderr, /^fleetlog: \S+ isn't a file; name one with --output, or [^\n]*\n$/);
      assert.deepEqual(readdirSync(folder.path), ['drive.candump'], 'nothing is left beside it');
      const part = await run(
        cloud,
        'export',
        ...can,
        '--from',
        '1500000003',
        '--to',
        '2017-07-14T02:40:03.002Z',
      );
      assert.equal(part.stdout.toString(), text.toString().split('\n').slice(3000, 3002).join('\n') + '\n');
    });
  });

  it('takes a relative time, which begins with a dash', async () => {
    await using cloud = await serveCloud();
    const nowUs = Date.now() * 1000;
    const times = [nowUs - 3_600_000_000, nowUs - 1_000_000];
    await append(
      cloud.log,
      times.map((timeUs, sequence) => canBatch([timeUs], { ...header, sequence })),
    );
    const { status, stdout, stderr } = await run(cloud, 'export', ...can, '--from', '-15m', '--to', 'now');
    assert.equal(status, 0, stderr);
    assert.equal(stdout.toString().split('\n').length, 2);
  });

  it('says that a range is empty, and what there is', async () => {
    await withDrive(10, async (cloud) => {
      const { status, stdout, stderr } = await run(cloud, 'export', ...can, '--from', '2030-01-01');
      assert.equal(status, 0);
      assert.equal(stdout.length, 0);
      assert.equal(
        stderr,
        'fleetlog: no records of truck-17 can0 in this range; it holds 2017-07-14 02:40:00Z to 2017-07-14 02:40:00Z.\n',
      );
    });
  });

  it('keeps FILE.part and fails where the export breaks off', async () => {
    await using cloud = await serveCloud();
    await using folder = await tempFolder('cli');
    const file = join(folder.path, 'drive.candump');
    const batches = candumpBatches(recording(100_000), header, 1000);
    await append(cloud.log, batches);
    await cloud.index.caughtUp(AbortSignal.timeout(10_000));
    await flipBit(cloud, 99);
    const { status, stderr } = await run(cloud, 'export', ...can, '--output', file);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^fleetlog: The connection to the cloud at http:\S+ broke before the answer was complete\. .* kept in \S+\.part; run the same command again to go on\.\n$/,
    );
    assert.equal(existsSync(file), false);
    assert.ok(readFileSync(`${file}.part`).length > 1_000_000);
  });

  for (const format of ['candump', 'blf', 'asc']) {
    it(`goes on where an export as ${format} broke off, to the same bytes`, async () => {
      await using cloud = await serveCloud();
      await using folder = await tempFolder('cli');
      const file = join(folder.path, 'drive');
      const batches = candumpBatches(recording(100_000), header, 1000);
      await append(cloud.log, batches);
      await cloud.index.caughtUp(AbortSignal.timeout(10_000));
      const command = ['export', ...can, '--format', format, '--json', '--output'];
      await flipBit(cloud, 80);
      assert.equal((await run(cloud, ...command, file)).status, 1);
      const { length } = readFileSync(`${file}.part`);
      await flipBit(cloud, 80);
      const rest = await run(cloud, ...command, file);
      assert.equal(rest.status, 0, rest.stderr);
      const { resumedAt } = JSON.parse(rest.stdout.toString()) as { resumedAt: number };
      assert.equal(resumedAt, length);
      await run(cloud, ...command, `${file}.whole`);
      assert.ok(readFileSync(file).equals(readFileSync(`${file}.whole`)));
      assert.deepEqual(readdirSync(folder.path).sort(), ['drive', 'drive.whole']);
    });
  }

  it('begins anew where what was written is not what the log gives now', async () => {
    await using cloud = await serveCloud();
    await using folder = await tempFolder('cli');
    const file = join(folder.path, 'drive.candump');
    const text = recording(100_000);
    const batches = candumpBatches(text, header, 1000);
    const [late] = batches.splice(10, 1);
    await append(cloud.log, batches);
    await cloud.index.caughtUp(AbortSignal.timeout(10_000));
    await flipBit(cloud, 70);
    assert.equal((await run(cloud, 'export', ...can, '--output', file)).status, 1);
    await flipBit(cloud, 70);
    await append(cloud.log, [late]);
    await cloud.index.caughtUp(AbortSignal.timeout(10_000));
    const { status, stderr } = await run(cloud, 'export', ...can, '--output', file);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /not what the log gives now .* begins anew/);
    assert.ok(readFileSync(file).equals(text));
  });

  it('writes several streams as one, by time, where the format tells them apart', async () => {
    await using cloud = await serveCloud();
    const stream = (name: string, offset: number): Uint8Array => {
      const text = [0, 1, 2].map((i) => `(100000000${2 * i}.00000${offset}) ${name} 100#0${i}\n`).join('');
      return candumpBatches(Buffer.from(text), { ...header, stream: name })[0];
    };
    await append(cloud.log, [stream('can0', 0), stream('can1', 1), gapBatch(3, 4, 'buffer-full', header)]);
    const both = ['export', '--gateway', gateway, '--stream', 'can1', 'can0'];
    const candump = await run(cloud, ...both, '--format', 'candump');
    assert.equal(candump.status, 0, candump.stderr);
    const order = (text: Buffer): string[] => text.toString().match(/can[01](?=[ "])/g) ?? [];
    const expected = ['can0', 'can1', 'can0', 'can1', 'can0', 'can1'];
    assert.deepEqual(order(candump.stdout), expected);
    const ndjson = await run(cloud, 'export', '--gateway', gateway, '--format', 'ndjson');
    assert.match(ndjson.stdout.toString(), /^\{"gateway":"truck-17","stream":"can0","time":/);
    assert.equal(ndjson.stdout.toString().split('\n').length, 7);
    const csv = await run(cloud, ...both, '--format', 'csv');
    assert.match(csv.stdout.toString(), /^gateway,stream,time,bus.*\ntruck-17,can0,2001/);
    const lines = await run(cloud, ...both, '--format', 'lines');
    assert.equal(lines.status, 2);
  });

  it('ends quietly with 0 where nobody reads its output any more', async () => {
    await withDrive(200_000, async ({ api }) => {
      const child = start(bin, ['export', ...can], { FLEETLOG_URL: api.url });
      const result = ended(child);
      await once(child.stdout, 'data');
      child.stdout.destroy();
      const { status, stderr } = await result;
      assert.equal(stderr, '');
      assert.equal(status, 0);
    });
  });

  it('tails until Ctrl-C, which ends it with 0', async () => {
    await using cloud = await serveCloud({ limits: { heartbeatMs: 10 } });
    await append(cloud.log, [lineBatch([{ timeUs: 1, text: 'old\n' }], { ...header, sequence: 0 })]);
    const child = start(bin, ['tail', '--gateway', gateway], { FLEETLOG_URL: cloud.api.url });
    const result = ended(child);
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await until('the tail runs', async () => {
      const response = await fetch(`${cloud.api.url}/v1/status`);
      return ((await response.json()) as { running: { tails: number } }).running.tails === 1;
    });
    await append(cloud.log, [
      lineBatch(
        [
          { timeUs: 2, text: '$GPGGA\r\n' },
          { timeUs: 3, text: '\n' },
        ],
        { ...header, sequence: 1 },
      ),
      canBatch([1_000_000], { ...header, sequence: 0 }),
    ]);
    await until('all came', () => text.includes('can0'));
    child.kill('SIGINT');
    const { status, stderr } = await result;
    assert.equal(stderr, '');
    assert.equal(status, 0);
    assert.equal(
      text,
      'truck-17 gps0 $GPGGA\ntruck-17 gps0 \ntruck-17 can0 (0000000001.000000) can0 100#0000000000000000\n',
    );
  });

  it('shows the state of the cloud', async () => {
    await withDrive(10, async (cloud) => {
      cloud.fleet.counters.refused['FLEETLOG_TOPIC'] = 2;
      const { status, stdout } = await run(cloud, 'status');
      assert.equal(status, 0);
      assert.match(stdout.toString(), /^cloud +version 1\.2\.3, up \d+ s/);
      assert.match(stdout.toString(), /^refused +FLEETLOG_TOPIC 2$/m);
      const json = JSON.parse((await run(cloud, 'status', '--json')).stdout.toString()) as {
        version: string;
      };
      assert.equal(json.version, '1.2.3');
    });
  });

  const mistakes: [what: string, parameters: string[], status: number, stderr: RegExp][] = [
    [
      'an unknown gateway',
      ['streams', '--gateway', 'truck-71'],
      2,
      /^fleetlog: There is no gateway truck-71; there are truck-17\.\n$/,
    ],
    [
      'an unknown stream',
      ['export', '--gateway', gateway, '--stream', 'can1'],
      2,
      /called can1; there are can0\.\n$/,
    ],
    ['a time that is none', ['export', ...can, '--from', 'noon'], 2, /^fleetlog: "noon" isn't a time; .*\n$/],
    [
      'a format that does not fit',
      ['export', ...can, '--format', 'lines'],
      2,
      /choose candump, ndjson, .* or \w+\.\n$/,
    ],
    [
      'a file that cannot be written',
      ['export', ...can, '--output', '/nowhere/x'],
      2,
      /^fleetlog: \/nowhere\/x\.part can't be written \(ENOENT\).*\n$/,
    ],
    ['--json without a file', ['export', ...can, '--json'], 2, /--format ndjson\.\n$/],
    [
      'a URL that is none',
      ['--url', 'cloud', 'streams'],
      2,
      /^fleetlog: "cloud" isn't the URL of a cloud; .*\n$/,
    ],
    ['a missing option', ['export', '--stream', 'can0'], 2, /--gateway/],
    ['an unknown command', ['steams'], 2, /unknown command 'steams'/],
    [
      'a cloud that is not there',
      ['streams', '--url', 'http://127.0.0.1:1'],
      1,
      /^fleetlog: No cloud answers at http:\/\/127\.0\.0\.1:1 \(ECONNREFUSED\); start one with "fleetlog-cloud --data DIR".*\n$/,
    ],
  ];
  for (const [what, parameters, status, stderr] of mistakes) {
    it(`says in a sentence what to do about ${what}, and exits with ${status}`, async () => {
      await withDrive(1, async (cloud) => {
        const result = await run(cloud, ...parameters);
        assert.match(result.stderr, stderr);
        assert.doesNotMatch(result.stderr, /^ +at /m);
        assert.equal(result.status, status);
        assert.equal(result.stdout.length, 0);
      });
    });
  }

  it('does not take anything that answers for a cloud', async () => {
    for (const [code, sentence] of [
      [502, /^fleetlog: The cloud answered with status 502\.\n$/],
      [200, /^fleetlog: What answers at http:\S+ isn't a Fleetlog cloud; .*\n$/],
    ] as const) {
      const server = createServer((_, response) => response.writeHead(code).end('<html>hello</html>'));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const { status, stderr } = await ended(start(bin, ['streams', '--url', `http://127.0.0.1:${port}`]));
      server.close();
      assert.match(stderr, sentence);
      assert.equal(status, 1);
    }
  });

  for (const command of ['', 'gateways', 'streams', 'gaps', 'export', 'tail', 'status']) {
    it(`explains ${command || 'itself'} with examples`, async () => {
      const { status, stdout } = await ended(start(bin, [...(command ? [command] : []), '--help']));
      assert.equal(status, 0);
      assert.match(stdout.toString(), /\nExamples:\n {2}\$ fleetlog /);
      assert.match(stdout.toString(), /--url <url>/);
    });
  }
});

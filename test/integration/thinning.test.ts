import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Gaps } from '#cloud/api/schemas.js';
import type { GatewayReport } from '#gateway/control/status.js';
import { Cloud } from '../support/chaos/cloud.js';
import { Gateway } from '../support/chaos/gateway.js';
import { formatCandump } from '../support/candump-text.js';
import { generateNoise } from '../support/generate-frames.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const frameCount = 100_000;
const waitMs = 90_000;

describe('a gateway that thins', function () {
  this.timeout(200_000);

  it('sends what is left after a long time without the cloud, and fleetlog gaps tells of all the rest', async () => {
    await using folder = await tempFolder('thin');
    const input = formatCandump([generateNoise(11, frameCount, 40)]);
    const path = join(folder.path, 'drive.log');
    await writeFile(path, input, 'latin1');
    const can0 = {
      source: 'file',
      format: 'candump',
      path,
      times: 'original',
      whenFull: 'drop',
      thin: 10,
      batch: { records: 500 },
    };
    const gatewayTo = (url: string, args: string[]): Promise<Gateway> =>
      Gateway.prepare('truck-1', join(folder.path, 'truck-1'), [], {
        url,
        args,
        buffer: { limit: '512KiB', writeBuffer: '64KiB', minFree: '0B', ballast: '0B' },
        streams: { can0 },
      });

    const offline = await gatewayTo('mqtt://127.0.0.1:1', []);
    offline.command.start();
    const thinned = await until(
      'all is read, and thinned',
      async () => {
        const { status, stdout } = await offline.status();
        if (status !== 0) return undefined;
        const report = JSON.parse(stdout.toString()) as GatewayReport;
        const stream = report.streams.find((s) => s.stream === 'can0');
        const isRead = stream?.recordsPut === frameCount && stream.durableNext === stream.next;
        return report.running && isRead && stream.thinned.records > 0 ? stream.thinned : undefined;
      },
      waitMs,
    );
    assert.ok(thinned.batches > 10);
    await offline.command.kill();

    const cloud = new Cloud(join(folder.path, 'cloud'));
    await cloud.start();
    try {
      const online = await gatewayTo(`mqtt://127.0.0.1:${cloud.mqttPort}`, ['--until-drained']);
      online.command.start();
      await online.drained(waitMs);
      const { stdout, status } = await cloud.fleetlog('gaps', '--stream', 'can0', '--json');
      assert.equal(status, 0, 'nothing is missing without a reason');
      const gaps = JSON.parse(stdout.toString()) as Gaps;
      const held = await cloud.exportStream({
        gateway: 'truck-1',
        stream: 'can0',
        format: 'candump',
        input: Buffer.alloc(0),
      });
      const lines = held.toString('latin1').split('\n').slice(0, -1);
      const explained = gaps.gaps.reduce((sum, { records = 0 }) => sum + records, 0);
      assert.equal(lines.length + explained, frameCount);
      const told = gaps.gaps.filter(({ cause }) => cause === 'thinned');
      assert.ok(told.length > 0 && told.every(({ state, firstTime }) => state === 'explained' && firstTime));
      assert.ok(gaps.thinnedBatches > 10 && gaps.heldBatches > gaps.thinnedBatches);
      assert.equal(gaps.heldBatches + gaps.batches.explained, frameCount / 500);
      const sent = input.split('\n');
      let at = 0;
      for (const line of lines) {
        while (at < sent.length && sent[at] !== line) at++;
        assert.ok(at++ < sent.length, `${line} was never said, or twice, or not in this order`);
      }
    } finally {
      await cloud.command.kill();
    }
  });
});

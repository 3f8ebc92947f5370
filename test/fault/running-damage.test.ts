import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Cloud } from '../support/chaos/cloud.js';
import { Gateway } from '../support/chaos/gateway.js';
import { accountOf } from '../support/damage/account.js';
import { filesOf, flipBit } from '../support/damage/damage.js';
import { distinctFrames } from '../support/damage/recording.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const frameCount = 40_000;
/** Nobody listens there. */
const nowhere = 'mqtt://127.0.0.1:9';

/** Tables come one after the other until a compaction has met the damage. */
const noise = 'while :; do head -c 4500 /dev/urandom | base64 -w 75 || exit 0; sleep 0.02; done';

describe('a gateway whose buffer is damaged while it runs', function () {
  this.timeout(180_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let cloud: Cloud;
  let offline: Gateway | undefined;

  before(async () => {
    folder = await tempFolder('running-damage');
    cloud = new Cloud(join(folder.path, 'cloud'));
    await cloud.start();
  });
  after(async () => {
    await offline?.command.kill();
    await cloud.command.kill();
    await folder[Symbol.asyncDispose]();
  });

  it('salvages it and goes on by itself when a compaction meets the damage, with nothing unexplained', async () => {
    const home = join(folder.path, 'gateway');
    const options = { batch: { records: 100 }, buffer: { writeBuffer: '64KiB' }, pace: () => 10 };
    offline = await Gateway.prepare('running', home, [distinctFrames(frameCount)], {
      ...options,
      url: nowhere,
      args: [],
      streams: { noise0: { source: 'command', command: noise, format: 'lines' } },
    });
    const { command, dataFolder } = offline;
    const database = join(dataFolder, 'buffer');
    command.start();
    await until(
      'a table',
      async () => {
        assert.ok(command.running, command.log);
        return (await filesOf(database, /\.sst$/).catch(() => [])).length > 0;
      },
      60_000,
    );
    const damaged = new Set<string>();
    await until(
      'the damage is met',
      async () => {
        assert.ok(command.running, command.log);
        if (/moved aside/.test(command.log)) return true;
        for (const table of await filesOf(database, /\.sst$/).catch(() => [])) {
          // Its first block holds keys; a compaction may have removed it meanwhile.
          if (!damaged.has(table)) await flipBit(table, 0.1).catch(() => undefined);
          damaged.add(table);
        }
        return false;
      },
      60_000,
    );
    await command.says(/What could be read of a damaged buffer is rescued/, 60_000);
    assert.equal(command.starts, 1);
    await command.stop();
    const url = `mqtt://127.0.0.1:${cloud.mqttPort}`;
    const online = await Gateway.prepare('running', home, [distinctFrames(frameCount)], { ...options, url });
    online.command.start();
    await online.drained(60_000);
    const account = await accountOf(cloud, online.expectations[0]);
    assert.equal(await cloud.gaps(online.id), undefined, command.log);
    assert.equal(account.unexplained, 0, command.log);
    // Blocks of keys are damaged, not the frames: what was in memory alone is all that may be missing.
    assert.ok(account.held >= frameCount / 2, `${account.explained} are lost\n${command.log}`);
  });
});

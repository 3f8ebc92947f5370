import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { openLog } from '#cloud/log/rocksdb-log.js';
import { CloudProcess } from '../support/cloud-process.js';
import { append, canBatch } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';

const gateway = 'truck-17';
const batches = 20;

function flip(folder: string, name: RegExp): void {
  const found = readdirSync(folder).find((one) => name.test(one));
  const path = join(folder, found ?? assert.fail(`${folder} has no ${String(name)}`));
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] ^= 4;
  writeFileSync(path, bytes);
}

describe('a bit flipped in the small files by which a cloud finds the others', function () {
  this.timeout(120_000);

  it('of the log and of what is made from it: it starts, all is there, and it says what it did', async () => {
    await using folder = await tempFolder('small-files');
    {
      const path = join(folder.path, 'log');
      await using log = await openLog({ path, logger: silentLogger, clock: systemClock });
      const all = Array.from({ length: batches }, (_, sequence) =>
        canBatch([1_700_000_000_000_000 + sequence * 1e6], { gateway, sequence }),
      );
      await append(log, all, { gateway });
    }
    await (await CloudProcess.serve(folder.path))[Symbol.asyncDispose]();
    flip(join(folder.path, 'log'), /^CURRENT$/);
    flip(join(folder.path, 'index'), /^CURRENT$/);
    flip(join(folder.path, 'rollups'), /^MANIFEST/);
    await using cloud = await CloudProcess.serve(folder.path);
    const response = await fetch(`${cloud.httpUrl}/v1/export?gateway=${gateway}&stream=can0&format=candump`);
    assert.equal((await response.text()).trim().split('\n').length, batches);
    const verified = await (await fetch(`${cloud.httpUrl}/v1/verify`)).text();
    assert.match(verified, /"problems":0/);
    assert.match(cloud.stderr, /CURRENT of the log was damaged/);
    assert.equal([...cloud.stderr.matchAll(/made anew from the log/g)].length, 2);
  });
});

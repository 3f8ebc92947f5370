import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WalSync } from '@fleetlog/shared/store';
import { tempFolder } from '../support/temp-folder.js';

describe('the sync of a write-ahead log', () => {
  it('takes the newer log where the one that was named is full and gone', async () => {
    await using folder = await tempFolder('wal-sync');
    await writeFile(join(folder.path, '000007.log'), 'newer');
    const named = ['/000004.log', '/000007.log'];
    const sync = new WalSync(folder.path, async () => named.shift() ?? '/000007.log');
    await sync.sync();
    assert.deepEqual(named, []);
    await sync.sync();
    await sync.close();
  });

  it('fails where the current log is gone for good', async () => {
    await using folder = await tempFolder('wal-sync');
    const sync = new WalSync(folder.path, async () => '/000004.log');
    await assert.rejects(sync.sync(), /000004\.log was deleted/);
    await writeFile(join(folder.path, '000004.log'), '');
    await sync.sync();
    await sync.close();
    await rm(join(folder.path, '000004.log'));
  });
});

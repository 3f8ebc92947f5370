import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openBuffer } from '#gateway/buffer/open-buffer.js';
import { tempFolder } from '../support/temp-folder.js';
import { thinnedAccountOf } from '../support/thinned-account.js';
import { thinningOptions } from '../support/thinning-options.js';

describe('a gateway that is killed while it thins', function () {
  this.timeout(180_000);

  it('has each batch whole, or thinned with the word of what is missing, or in a gap record', async () => {
    await using folder = await tempFolder('thin-kill');
    const path = join(folder.path, 'buffer');
    for (let round = 1; round <= 3; round++) {
      const child = fork(join(import.meta.dirname, '../support/thin-child.js'), [path], {
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      });
      let durable = 0;
      let since: number | undefined;
      for await (const line of createInterface({ input: child.stdout ?? assert.fail() })) {
        const [next, thinned] = line.split(' ').map(Number);
        durable = next;
        since ??= thinned;
        if (thinned > since + 40) child.kill('SIGKILL');
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      assert.equal(child.signalCode, 'SIGKILL');
      await using buffer = await openBuffer(thinningOptions(path));
      const account = await thinnedAccountOf(buffer, 'can0', 600);
      const [state] = buffer.streams();
      assert.ok(state.next >= durable, `${state.next} < ${durable}`);
      assert.equal(account.next, state.next);
      assert.equal(account.records + account.takenRecords + account.explained.records, 600 * state.next);
      assert.equal(state.givenUp.records + state.thinned.records + account.records, 600 * state.next);
      assert.deepEqual([state.bytes, state.records], [account.bytes, account.records]);
      assert.ok(account.thinned > 0 && account.whole > 0, JSON.stringify(account));
    }
  });
});

import { readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/*
 * A database can be damaged in a way that shows only when it works: a block that a compaction has to read. RocksDB then
 * refuses every write, and does so again after each start. The note makes the next opening move the folder aside.
 */
const name = 'DAMAGED';

export const noteDamage = (folder: string, reason: string): Promise<void> =>
  writeFile(join(folder, name), reason);

export const isNoted = (folder: string): boolean => existsSync(join(folder, name));

/** It counts by being there, whether it reads or not. */
export const damageNote = (folder: string): Promise<string> =>
  readFile(join(folder, name), 'utf8').catch(() => 'It was noted as damaged, and the note does not read.');

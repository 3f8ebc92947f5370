import { readFile } from 'node:fs/promises';
import { carve, readWal } from './carve.js';
import { dataFiles } from './files.js';
import type { KeyValue } from './sealed-value.js';

/**
 * What the write-ahead logs hold, read before the database is opened: RocksDB takes what comes before the first damage,
 * says nothing, and deletes the rest.
 */
export interface WalWitness {
  /** Values that RocksDB will keep, unless the tables have newer ones. */
  before: KeyValue[];
  /** Values behind the first damage. */
  behind: KeyValue[];
  isDamaged: boolean;
}

/** The logs of a database's folder; empty where there are none. Holds about as much memory as the write buffers. */
export async function readWalWitness(folder: string): Promise<WalWitness> {
  const witness: WalWitness = { before: [], behind: [], isDamaged: false };
  for (const { path, isWal } of await dataFiles(folder)) {
    if (!isWal) continue;
    const file = await readFile(path).catch(() => undefined);
    if (!file) {
      witness.isDamaged = true;
      continue;
    }
    const { data, damagedFrom } = readWal(file);
    for (const found of carve(data)) {
      const isBefore = !witness.isDamaged && (damagedFrom === undefined || endOf(found, data) <= damagedFrom);
      (isBefore ? witness.before : witness.behind).push(found);
    }
    witness.isDamaged ||= damagedFrom !== undefined;
  }
  return witness;
}

const endOf = ({ value }: KeyValue, data: Buffer): number =>
  value.byteOffset + value.length - data.byteOffset;

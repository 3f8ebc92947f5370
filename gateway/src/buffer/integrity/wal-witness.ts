import { carve, readWal } from './carve.js';
import { dataFiles, readBadly, type FileDamage } from './files.js';
import type { KeyValue } from './sealed-value.js';

/**
 * What the write-ahead logs hold, read before the database is opened: RocksDB takes what comes before the first damage,
 * says nothing, and deletes the rest.
 */
export interface WalWitness extends FileDamage {
  /** Values that RocksDB will keep, unless the tables have newer ones. */
  before: KeyValue[];
  /** Values behind the first damage. */
  behind: KeyValue[];
}

/** The logs of a database's folder; empty where there are none. Holds about as much memory as the write buffers. */
export async function readWalWitness(folder: string): Promise<WalWitness> {
  const witness: WalWitness = { before: [], behind: [], isDamaged: false };
  for (const { path, isWal } of await dataFiles(folder)) {
    if (!isWal) continue;
    const damage: FileDamage = { isDamaged: false };
    const { data, damagedFrom } = readWal(await readBadly(path, damage));
    for (const found of carve(data)) {
      const isBefore = !witness.isDamaged && (damagedFrom === undefined || endOf(found, data) <= damagedFrom);
      (isBefore ? witness.before : witness.behind).push(found);
    }
    witness.isDamaged ||= damage.isDamaged || damagedFrom !== undefined;
    witness.diskError ??= damage.diskError;
  }
  return witness;
}

const endOf = ({ value }: KeyValue, data: Buffer): number =>
  value.byteOffset + value.length - data.byteOffset;

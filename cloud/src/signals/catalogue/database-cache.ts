import { parseDbc, type ParsedDatabase } from '../dbc/parser.js';
import type { DatabaseVersion, LoadedDatabase } from './types.js';

/** Databases kept in memory; a large one takes some MB. */
const keptMax = 16;

/** Reads databases once while they are in use. */
export class DatabaseCache {
  /** By hash; the one that was used longest ago comes first. */
  private readonly kept = new Map<string, ParsedDatabase>();

  constructor(private readonly read: (version: DatabaseVersion) => Promise<Uint8Array>) {}

  /** Errors: those of reading. */
  async load(name: string, version: DatabaseVersion): Promise<LoadedDatabase> {
    const { hash } = version;
    const parsed = this.kept.get(hash) ?? parseDbc(await this.read(version));
    this.kept.delete(hash);
    this.kept.set(hash, parsed);
    const [oldest] = this.kept.keys();
    if (this.kept.size > keptMax && oldest !== undefined) this.kept.delete(oldest);
    const { database, problems } = parsed;
    return { name, version, database, problems };
  }
}

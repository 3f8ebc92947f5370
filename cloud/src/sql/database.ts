import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection, type DuckDBResult } from '@duckdb/node-api';
import { FleetlogError } from '@fleetlog/shared/errors';
import { largeTables, literal, smallTables } from './tables.js';
import { wantedOf, type PlanNode, type Wanted } from './wanted.js';

/** Beyond it, DuckDB uses its file. */
const memory = '512MB';

/** A DuckDB of our tables, in a folder that goes with it. */
export class SqlDatabase implements AsyncDisposable {
  private constructor(
    readonly folder: string,
    readonly connection: DuckDBConnection,
    private readonly close: () => void,
  ) {}

  static async create(): Promise<SqlDatabase> {
    const folder = await mkdtemp(join(tmpdir(), 'fleetlog-sql-'));
    const remove = (): void => rmSync(folder, { recursive: true, force: true });
    process.once('exit', remove);
    const instance = await DuckDBInstance.create(join(folder, 'sql.db'));
    const connection = await instance.connect();
    // It must not look for extensions elsewhere.
    await connection.run(
      `SET TimeZone = 'UTC'; SET memory_limit = ${literal(memory)}; SET autoinstall_known_extensions = false;`,
    );
    await connection.run(smallTables);
    await connection.run(largeTables);
    return new SqlDatabase(folder, connection, () => {
      connection.closeSync();
      instance.closeSync();
      process.off('exit', remove);
      remove();
    });
  }

  /**
   * What a statement can need of which table, while the tables are empty. Errors: FLEETLOG_USAGE where it isn't one
   * statement that DuckDB understands.
   */
  async plan(statement: string): Promise<Map<string, Wanted>> {
    const { connection } = this;
    // Statistics of empty tables would answer at once; fetching rows in two steps would hide filters.
    await connection.run("SET disabled_optimizers = 'statistics_propagation,late_materialization'");
    try {
      const extracted = await understood(() => connection.extractStatements(statement));
      if (extracted.count !== 1) {
        throw new FleetlogError('FLEETLOG_USAGE', `Give one SQL statement; these are ${extracted.count}.`);
      }
      await understood(() => extracted.prepare(0)); // its errors show the statement as it was given
      const reader = await understood(() => connection.runAndReadAll(`EXPLAIN (FORMAT json) ${statement}`));
      const [[, json]] = reader.getRows() as [string, string][];
      return wantedOf(JSON.parse(json) as PlanNode[]);
    } finally {
      await connection.run("SET disabled_optimizers = ''");
    }
  }

  /** Errors: FLEETLOG_USAGE where the statement fails. */
  run(statement: string): Promise<DuckDBResult> {
    return understood(() => this.connection.stream(statement));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}

/** DuckDB's own words say what is wrong and where. */
async function understood<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    const own = text.replace(/^Failed to extract statements: /, '').trim();
    throw new FleetlogError('FLEETLOG_USAGE', `${own}\nTables and columns: fleetlog sql --help.`, { cause });
  }
}

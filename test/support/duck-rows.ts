import { DuckDBInstance, type Json } from '@duckdb/node-api';

/** What DuckDB answers. */
export async function duckRows(statement: string): Promise<Json[][]> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(statement)).getRowsJson();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

import {
  DuckDBBlobValue,
  DuckDBTimestampTZValue,
  DuckDBTypeId,
  JsonDuckDBValueConverter,
  type DuckDBResult,
  type DuckDBType,
  type DuckDBValue,
  type Json,
} from '@duckdb/node-api';
import { isoMicros } from '../export/iso-time.js';

/**
 * The rows of a result as they come, in portions: times as ISO 8601 in UTC with µs, whole numbers as numbers where
 * these are exact and else as text, bytes in hex.
 */
export async function* rowsOf(result: DuckDBResult): AsyncGenerator<Json[][]> {
  const types = result.columnTypes();
  for await (const rows of result.yieldRows())
    yield rows.map((row) => row.map((value, k) => jsonOf(value, types[k])));
}

function jsonOf(value: DuckDBValue, type: DuckDBType): Json {
  if (value instanceof DuckDBTimestampTZValue) return isoMicros(Number(value.micros));
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('hex').toUpperCase();
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (type.typeId === DuckDBTypeId.DOUBLE || type.typeId === DuckDBTypeId.FLOAT) return value as number;
  return JsonDuckDBValueConverter(value, type, JsonDuckDBValueConverter) as Json;
}

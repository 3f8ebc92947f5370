/** What `fleetlog sql` can ask, as DuckDB is told. Small tables are always filled; the others as a statement needs. */
export const smallTables = `
CREATE TABLE gateways (
  gateway VARCHAR, connected BOOLEAN, last_seen TIMESTAMPTZ, streams UINTEGER, batches UBIGINT, records UBIGINT,
  bytes UBIGINT, first_time TIMESTAMPTZ, last_time TIMESTAMPTZ
);
CREATE TABLE streams (
  gateway VARCHAR, stream VARCHAR, kind VARCHAR, batches UBIGINT, records UBIGINT, bytes UBIGINT,
  first_time TIMESTAMPTZ, last_time TIMESTAMPTZ
);
`;

export const largeTables = `
CREATE TABLE frames (
  time TIMESTAMPTZ, gateway VARCHAR, stream VARCHAR, bus VARCHAR, id UINTEGER, extended BOOLEAN, type VARCHAR,
  brs BOOLEAN, esi BOOLEAN, direction VARCHAR, dlc UTINYINT, data BLOB
);
CREATE TABLE signals (
  time TIMESTAMPTZ, gateway VARCHAR, stream VARCHAR, signal VARCHAR, name VARCHAR, value DOUBLE
);
`;

/** For `--help`. */
export const tableNotes = `Tables:
  frames    time, gateway, stream, bus, id, extended, type, brs, esi,
            direction, dlc, data; type is data, remote, fd or error
  signals   time, gateway, stream, signal, name, value; signal is
            stream/Message/Signal, name its end
  streams   gateway, stream, kind, batches, records, bytes, first_time,
            last_time
  gateways  gateway, connected, last_seen, streams, batches, records, bytes,
            first_time, last_time`;

export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

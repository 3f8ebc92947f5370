import type { Database } from '../dbc/model.js';
import type { Problem } from '../dbc/problems.js';

/** One content that a database had; the last one of a name is current. */
export interface DatabaseVersion {
  /** SHA-256 of the bytes, hexadecimal. */
  hash: string;
  bytes: number;
  addedUs: number;
  /** As its file was called, where that is known. */
  file: string;
  messages: number;
  signals: number;
  /** Problems of its text. */
  errors: number;
  warnings: number;
}

export interface DatabaseEntry {
  name: string;
  versions: DatabaseVersion[];
}

/** Event times in µs; `undefined` where it is open. */
export interface Validity {
  /** Inclusive. */
  fromUs: number | undefined;
  /** Exclusive. */
  toUs: number | undefined;
}

/** From when to when a database says what the frames of a stream mean. */
export interface Assignment extends Validity {
  gateway: string;
  stream: string;
  database: string;
  /** The content, by its whole hash; undefined: the current one. */
  version: string | undefined;
}

/** From when to when a gateway is in a vehicle. */
export interface Mount extends Validity {
  vehicle: string;
  gateway: string;
}

/** A database that was read. */
export interface LoadedDatabase {
  name: string;
  version: DatabaseVersion;
  database: Database;
  problems: Problem[];
}

import { createHash } from 'node:crypto';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetlogError } from '@fleetlog/shared/errors';
import { unknownName } from '../../api/nearest-names.js';
import { parseDbc } from '../dbc/parser.js';
import { obdDatabase, obdName } from '../obd/database.js';
import { addAssignment, removeAssignments, type AssignmentChange } from './assignments.js';
import { DatabaseCache } from './database-cache.js';
import { addMount, removeMounts } from './mounts.js';
import { readState, type StoredState } from './state.js';
import { readWhole, replaceFile } from '../../storage/state-file.js';
import type { Assignment, DatabaseEntry, DatabaseVersion, LoadedDatabase, Mount, Validity } from './types.js';

export interface AddDatabase {
  name: string;
  file: string;
  bytes: Uint8Array;
  /** Takes what can be read of a database that has errors. */
  ignoreErrors: boolean;
  nowUs: number;
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const limits = { databasesMax: 10_000, versionsMax: 1000, assignmentsMax: 100_000 } as const;

/**
 * The databases that people gave, and to what they apply. Kept in a folder of its own beside the log: meaning is no
 * part of what was recorded, and changing it changes no record.
 */
export class Catalogue {
  private changing: Promise<unknown> = Promise.resolve();
  private readonly cache: DatabaseCache;
  /** Comes with the product; nobody can change it. */
  private readonly builtIn = obdDatabase();

  private constructor(
    private readonly folder: string,
    private state: StoredState,
  ) {
    this.cache = new DatabaseCache((version) => this.bytesOf(version));
  }

  /** Errors: FLEETLOG_STORE. */
  static async open(folder: string): Promise<Catalogue> {
    await mkdir(join(folder, 'databases'), { recursive: true });
    const path = join(folder, 'catalogue.json');
    return new Catalogue(folder, readState((await readWhole(path))?.toString(), path));
  }

  /** Rises with each change: what was made of the catalogue before is stale. */
  revision = 0;

  /** Those that people gave, and those that come with the product. */
  get databases(): readonly DatabaseEntry[] {
    const { name, version } = this.builtIn;
    return [...this.state.databases, { name, versions: [version] }];
  }

  get assignments(): readonly Assignment[] {
    return this.state.assignments.map((one) => ({ version: undefined, ...open, ...one }));
  }

  get mounts(): readonly Mount[] {
    return this.state.mounts.map((one) => ({ ...open, ...one }));
  }

  /**
   * Adds a content under a name; one that is the name's current content already changes nothing, an earlier one
   * becomes current again. Errors: FLEETLOG_USAGE for a name that can't be, FLEETLOG_DATABASE for a file that can't be
   * read, FLEETLOG_STORE….
   */
  add({ name, file, bytes, ignoreErrors, nowUs }: AddDatabase): Promise<LoadedDatabase & { isNew: boolean }> {
    return this.change(async (state) => {
      checkName(name);
      if (name === obdName) {
        throw new FleetlogError('FLEETLOG_USAGE', `${name} comes with Fleetlog; choose another name.`);
      }
      const parsed = parseDbc(bytes);
      if (parsed.errors > 0 && !ignoreErrors) throw unreadable(parsed.errors, parsed.problems);
      const hash = createHash('sha256').update(bytes).digest('hex');
      const { database, errors, warnings, problems } = parsed;
      const signals = database.messages.reduce((sum, message) => sum + message.signals.length, 0);
      const version: DatabaseVersion = {
        hash,
        bytes: bytes.length,
        addedUs: nowUs,
        file,
        messages: database.messages.length,
        signals,
        errors,
        warnings,
      };
      const entry = state.databases.find((one) => one.name === name);
      const isNew = entry?.versions.at(-1)?.hash !== hash;
      const loaded = { name, version, database, problems };
      if (!isNew) return { ...loaded, version: entry!.versions.at(-1)!, isNew };
      const versions = [...(entry?.versions ?? []).filter((one) => one.hash !== hash), version];
      if (versions.length > limits.versionsMax || (!entry && state.databases.length >= limits.databasesMax)) {
        throw new FleetlogError('FLEETLOG_USAGE', `The catalogue is full: it takes no more of ${name}.`);
      }
      await replaceFile(this.pathOf(hash), bytes);
      const others = state.databases.filter((one) => one !== entry);
      const databases = [...others, { name, versions }].sort((a, b) => (a.name < b.name ? -1 : 1));
      await this.save({ ...state, databases });
      return { ...loaded, isNew };
    });
  }

  /**
   * A database by name, current or of a version (the first digits of its hash will do). Errors: FLEETLOG_NOT_FOUND,
   * FLEETLOG_STORE where its file is damaged.
   */
  async load(name: string, version?: string): Promise<LoadedDatabase> {
    const found = this.versionOf(name, version);
    return found === this.builtIn.version ? this.builtIn : this.cache.load(name, found);
  }

  /** Errors: FLEETLOG_NOT_FOUND. */
  versionOf(name: string, hash?: string): DatabaseVersion {
    const versions = this.databases.find((one) => one.name === name)?.versions;
    const found =
      hash === undefined ? versions?.at(-1) : versions?.findLast((one) => one.hash.startsWith(hash));
    if (found) return found;
    const names = this.databases.map((one) => one.name);
    if (!versions) throw unknownName('database', name.slice(0, 64), names);
    throw new FleetlogError(
      'FLEETLOG_NOT_FOUND',
      `Database ${name} has no version ${hash?.slice(0, 64)}; "fleetlog databases show ${name}" lists them.`,
    );
  }

  /** Errors: those of `addAssignment`. */
  assign(assignment: Assignment, change: AssignmentChange): Promise<void> {
    return this.change(async (state) => {
      const assignments = await addAssignment(this.assignments, assignment, change, this);
      if (assignments.length > limits.assignmentsMax) {
        throw new FleetlogError('FLEETLOG_USAGE', 'The catalogue is full: it takes no more assignments.');
      }
      await this.save({ ...state, assignments: assignments.map(defined) });
    });
  }

  /** Returns how many were changed or removed. */
  unassign(which: Omit<Assignment, 'version'>): Promise<number> {
    return this.change(async (state) => {
      const { kept, touched } = removeAssignments(this.assignments, which);
      if (touched > 0) await this.save({ ...state, assignments: kept.map(defined) });
      return touched;
    });
  }

  /** Errors: those of `addMount`. */
  mount(mount: Mount): Promise<void> {
    return this.change(async (state) => {
      await this.save({ ...state, mounts: addMount(this.mounts, mount).map(defined) });
    });
  }

  /** Returns how many were changed or removed. */
  unmount(which: Mount): Promise<number> {
    return this.change(async (state) => {
      const { kept, touched } = removeMounts(this.mounts, which);
      if (touched > 0) await this.save({ ...state, mounts: kept.map(defined) });
      return touched;
    });
  }

  /** Makes `folder` a catalogue like this one. */
  copyTo(folder: string): Promise<void> {
    return this.change(() => cp(this.folder, folder, { recursive: true }));
  }

  /** One change at a time, each on what the one before left. */
  private change<T>(work: (state: StoredState) => Promise<T>): Promise<T> {
    const result = this.changing.then(() => work(this.state));
    this.changing = result.catch(() => undefined); // whoever asked for it gets the error
    return result;
  }

  private async save(state: StoredState): Promise<void> {
    await replaceFile(join(this.folder, 'catalogue.json'), `${JSON.stringify(state, null, 2)}\n`);
    this.state = state;
    this.revision++;
  }

  private pathOf(hash: string): string {
    return join(this.folder, 'databases', `${hash}.dbc`);
  }

  private async bytesOf({ hash }: DatabaseVersion): Promise<Uint8Array> {
    const path = this.pathOf(hash);
    const bytes = await readWhole(path);
    if (bytes && createHash('sha256').update(bytes).digest('hex') === hash) return bytes;
    throw new FleetlogError(
      'FLEETLOG_STORE',
      `${path} is ${bytes ? 'damaged' : 'missing'}; restore it, or add the database again.`,
    );
  }
}

const open: Validity = { fromUs: undefined, toUs: undefined };

/** Without what is undefined, as it is stored. */
function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

function checkName(name: string): void {
  if (namePattern.test(name)) return;
  throw new FleetlogError(
    'FLEETLOG_USAGE',
    `A database can't be called "${name.slice(0, 80)}"; use letters, digits, ".", "-" and "_", at most 63.`,
  );
}

function unreadable(errors: number, problems: LoadedDatabase['problems']): FleetlogError {
  const shown = problems
    .filter(({ severity }) => severity === 'error')
    .slice(0, 3)
    .map(({ line, column, text }) => `${line}:${column}: ${text}`);
  return new FleetlogError(
    'FLEETLOG_DATABASE',
    `The database has ${errors} error${errors === 1 ? '' : 's'} (${shown.join(' ')}); ` +
      'mend it, or take the rest of it with --ignore-errors.',
  );
}

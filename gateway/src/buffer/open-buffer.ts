import { existsSync } from 'node:fs';
import { FleetlogError, isFleetlogError, systemCode } from '@fleetlog/shared/errors';
import { isDiskError, openRocksDb, type OrderedStore } from '@fleetlog/shared/store';
import type { GatewayBuffer } from './buffer.js';
import { CheckedStore } from './integrity/checked-store.js';
import { damagedFolders, moveAside } from './integrity/damaged-folders.js';
import { damageNote, isNoted } from './integrity/damage-note.js';
import { DiskPatience } from './integrity/disk-patience.js';
import { OpeningGuard } from './integrity/opening-guard.js';
import { MarkFile } from './integrity/mark.js';
import { knownOf } from './integrity/known.js';
import { accountForLife, accountForTail, goOnAtPosition, type MissingTail } from './integrity/reconcile.js';
import { putBack } from './integrity/wal-put-back.js';
import { readWalWitness, type WalWitness } from './integrity/wal-witness.js';
import { keys } from './keys.js';
import { readLife } from './life.js';
import { ballastOf, storeOptions, type BufferOptions } from './buffer-options.js';
import { bufferOf } from './rocksdb-buffer.js';
import { readStates } from './stored-states.js';
import { StoredBatches } from './stored-batches.js';

export interface OpenOptions extends BufferOptions {
  /** False: a damaged database is an error, FLEETLOG_STORE, and nothing is moved. */
  salvage?: boolean;
}

/**
 * Opens the buffer in its folder, whatever state that is in: a database that doesn't open is moved aside, and what can
 * be read of it is rescued while the gateway works. What was durable and isn't there any more becomes gap records.
 *
 * Errors: FLEETLOG_LOCKED, FLEETLOG_CONFIG, FLEETLOG_STORE, FLEETLOG_STORE_FULL.
 */
export async function openBuffer(options: OpenOptions): Promise<GatewayBuffer> {
  const patience = new DiskPatience(options.clock, options.logger);
  for (;;) {
    const isPatient = options.salvage !== false && patience.lasts;
    try {
      return await openWithBallast(options, isPatient);
    } catch (error) {
      if (!isPatient || !isDiskError(error)) throw error;
      await patience.bear(error);
    }
  }
}

async function openWithBallast(options: OpenOptions, isPatient: boolean): Promise<GatewayBuffer> {
  try {
    return await openFolder(options, isPatient);
  } catch (error) {
    if (!isFleetlogError(error, 'FLEETLOG_STORE_FULL') || !options.space) throw error;
    if (!(await ballastOf(options, options.space).release())) throw error;
    return openFolder(options, isPatient);
  }
}

/** What is written beside the database, such as where a damaged one is moved, wants space, too. */
async function openFolder(options: OpenOptions, isPatient: boolean): Promise<GatewayBuffer> {
  try {
    return await openMarked(options, isPatient);
  } catch (cause) {
    if (systemCode(cause) !== 'ENOSPC') throw cause;
    const text = `No space left on the disk of the buffer folder ${options.path}.`;
    throw new FleetlogError('FLEETLOG_STORE_FULL', text, { cause });
  }
}

/** While it `isPatient`, an error of the disk is no damage: it rejects with it. */
async function openMarked(options: OpenOptions, isPatient: boolean): Promise<GatewayBuffer> {
  const { path, clock, logger } = options;
  const mark = await MarkFile.open(markPath(path), clock, logger, isPatient);
  try {
    const guard = await OpeningGuard.before(path);
    const witness = await readWalWitness(path);
    if (isPatient && witness.diskError) throw witness.diskError;
    const opened = await openChecked(options, mark, { guard, witness, isPatient });
    guard.release();
    return opened;
  } catch (error) {
    await mark[Symbol.asyncDispose]();
    throw error;
  }
}

interface Opening {
  guard: OpeningGuard;
  witness: WalWitness;
  isPatient: boolean;
}

async function openChecked(options: OpenOptions, mark: MarkFile, opening: Opening): Promise<GatewayBuffer> {
  const { path } = options;
  const { guard, witness, isPatient } = opening;
  let reason: string;
  if (isNoted(path)) {
    reason = await damageNote(path);
    if (options.salvage === false) throw unsalvaged(path, reason);
  } else {
    try {
      return await openWith(options, mark, witness, guard);
    } catch (error) {
      if (!isFleetlogError(error, 'FLEETLOG_STORE') || !existsSync(path)) throw error;
      if (options.salvage === false) throw unsalvaged(path, error);
      if (isPatient && isDiskError(error)) {
        await guard.restore();
        throw error;
      }
      reason = error.message;
    }
  }
  await guard.restore();
  return openAnew(options, mark, opening, reason);
}

/** Before values were sealed, they began with what they are. */
async function refuseUnsealed(plain: OrderedStore, path: string): Promise<void> {
  const life = await plain.get(keys.life());
  if (life?.[0] !== '{'.charCodeAt(0)) return;
  throw new FleetlogError(
    'FLEETLOG_CONFIG',
    `The buffer folder ${path} was written by an earlier version of Fleetlog; let that one drain it, or move the folder aside.`,
  );
}

/** The high-water mark's file, beside the database's folder. */
export const markPath = (path: string): string => `${path}.mark`;

const unsalvaged = (path: string, cause: unknown): FleetlogError =>
  new FleetlogError(
    'FLEETLOG_STORE',
    `The buffer's database in ${path} is damaged; start the gateway, or run "fleetlog-gateway buffer salvage": ` +
      'both move it aside and rescue what reads.',
    { cause },
  );

async function openAnew(
  options: OpenOptions,
  mark: MarkFile,
  { witness, isPatient }: Opening,
  reason: string,
): Promise<GatewayBuffer> {
  const { path, clock, logger } = options;
  const known = await knownOf(path, options.gateway, mark.found, witness);
  if (isPatient && known.damage.diskError) throw known.damage.diskError;
  const aside = await moveAside(path, { reason, mark: known.mark }, clock);
  logger.error(
    { folder: aside, reason },
    "The buffer's database is damaged: moved aside. The gateway goes on with a new one, and what can be read of the old one is rescued.",
  );
  return openWith(options, mark, { before: [], behind: [], isDamaged: false });
}

async function openWith(
  options: OpenOptions,
  mark: MarkFile,
  witness: WalWitness,
  guard?: OpeningGuard,
): Promise<GatewayBuffer> {
  const { path, gateway, clockFacts, logger } = options;
  const plain = await openRocksDb(storeOptions(options));
  const store: OrderedStore = new CheckedStore(plain);
  try {
    await refuseUnsealed(plain, path);
    const { found } = mark;
    const ofThisGateway = found?.gateway === gateway ? found : undefined;
    const { values, uncounted } = await putBack(store, witness, ofThisGateway);
    if (values > 0) {
      logger.error(
        { values },
        'A write-ahead log of the buffer was damaged; what lay behind the damage was put back.',
      );
    }
    const states = await readStates(store);
    if (await guard?.lostAny(store, states)) {
      throw new FleetlogError(
        'FLEETLOG_STORE',
        `The database in ${path} opened as it was at an earlier time, without files that hold batches.`,
      );
    }
    const epoch = await readLife(store, options);
    let missing: MissingTail[] = [];
    if (ofThisGateway && ofThisGateway.epoch === epoch) {
      const stored = new StoredBatches(store);
      missing = await accountForTail(states, ofThisGateway, clockFacts.boot, stored, uncounted);
    } else if (ofThisGateway) {
      const aside = (await damagedFolders(path)).find(
        ({ plan }) => plan?.mark?.epoch === ofThisGateway.epoch,
      );
      if (!aside) missing = accountForLife(states, ofThisGateway);
      for (const [stream, facts] of Object.entries(aside?.plan?.mark?.streams ?? {})) {
        goOnAtPosition(states, stream, facts);
      }
    }
    for (const { stream, first, last, records } of missing) {
      logger.error(
        { stream, first, last, records },
        "Batches that were durable aren't in the buffer any more; a gap record tells the cloud.",
      );
    }
    return bufferOf(store, epoch, states, options, mark);
  } catch (error) {
    await store.close();
    throw error;
  }
}

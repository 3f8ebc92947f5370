import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '@fleetlog/shared/util';
import { isDiskError } from '@fleetlog/shared/store';
import { namesIn } from './files.js';
import type { Mark } from './mark.js';

/*
 * A database that doesn't open, or whose content makes no sense, is moved to `buffer.damaged-TIME` beside it. In there
 *
 *   rescue.json    how far the buffer was when it was moved aside; what is rescued has to be accounted against it
 *   rescued.json   the rescue is done, and this is what came of it
 */
const planName = 'rescue.json';
const reportName = 'rescued.json';

/** Folders whose rescue is done and in which damaged files are left for people to look at. */
const keptMax = 2;

/** What a rescue works towards. */
export interface RescuePlan {
  reason: string;
  /** Undefined where no high-water mark was found. */
  mark: Mark | undefined;
}

export interface DamagedFolder {
  path: string;
  /** Undefined where power went between moving it and saying why; then the file beside it is as good. */
  plan: RescuePlan | undefined;
  isDone: boolean;
}

/** Moves the database's folder aside. Errors: those of the file system. */
export async function moveAside(folder: string, plan: RescuePlan, clock: Clock): Promise<string> {
  // The plan first: with it in the folder, the renaming is the one moment at which all of it happens.
  await writeFile(join(folder, planName), JSON.stringify(plan));
  await syncPath(join(folder, planName));
  const time = new Date(clock.nowUs() / 1000).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  for (let attempt = 0; ; attempt++) {
    const path = `${folder}.damaged-${time}${attempt === 0 ? '' : `-${attempt}`}`;
    try {
      await mkdir(path); // `rename` goes onto an empty folder only
      await rename(folder, path);
      await syncPath(dirname(folder));
      return path;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EEXIST' && code !== 'ENOTEMPTY') throw error;
    }
  }
}

/** All that lie beside the buffer's folder, oldest first. Errors: those of the disk. */
export async function damagedFolders(folder: string): Promise<DamagedFolder[]> {
  const parent = dirname(folder);
  const prefix = `${basename(folder)}.damaged-`;
  const names = await namesIn(parent);
  const found: DamagedFolder[] = [];
  for (const name of names.filter((n) => n.startsWith(prefix)).sort()) {
    const path = join(parent, name);
    found.push({
      path,
      plan: await readPlan(join(path, planName)),
      isDone: existsSync(join(path, reportName)),
    });
  }
  return found;
}

async function readPlan(path: string): Promise<RescuePlan | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as RescuePlan;
  } catch (error) {
    if (isDiskError(error)) throw error;
    return undefined;
  }
}

/** Writes the report, or removes the folder where nothing in it is of use any more; then the oldest over the limit. */
export async function finishFolder(
  buffer: string,
  path: string,
  report: object,
  isWhole: boolean,
): Promise<void> {
  if (isWhole) await rm(path, { recursive: true, force: true });
  else await writeFile(join(path, reportName), `${JSON.stringify(report, undefined, 2)}\n`);
  const done = (await damagedFolders(buffer)).filter((folder) => folder.isDone);
  for (const { path: old } of done.slice(0, Math.max(0, done.length - keptMax))) {
    await rm(old, { recursive: true, force: true });
  }
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

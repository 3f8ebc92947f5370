import { rm } from 'node:fs/promises';
import { isFleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import { isDiskError } from '@fleetlog/shared/store';

/**
 * Opens what is in a folder that the log can make again; one that doesn't open is deleted, and made anew. A disk that
 * gives errors may be better in a moment: then nothing is deleted. Errors: those of `open`.
 */
export async function openOrMakeAnew<T>(path: string, logger: Logger, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (!isFleetlogError(error) || error.code !== 'FLEETLOG_STORE' || isDiskError(error)) throw error;
    logger.error({ code: error.code }, `${error.message} It is made anew from the log.`);
    await rm(path, { recursive: true, force: true });
    return open();
  }
}

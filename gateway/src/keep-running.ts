import { FleetlogError, isFleetlogError } from '@fleetlog/shared/errors';
import { isDamage } from '@fleetlog/shared/store';
import { noteDamage } from './buffer/integrity/damage-note.js';
import type { GatewayConfig } from './config.js';
import { bufferFolder, runGateway, type RunOptions, type RunProgress } from './main.js';

/**
 * Runs a gateway, and begins anew in the same process when the buffer's database takes no more writes. Where it met
 * damage, or refused soon again after it was only opened anew, the new beginning salvages it. Resolves with what the
 * last of these lives did. Errors: those of `runGateway` but FLEETLOG_STORE_BROKEN.
 */
export async function keepRunning(config: GatewayConfig, options: RunOptions): Promise<RunProgress> {
  for (let lives = 1; ; lives++) {
    try {
      return await runGateway(config, options);
    } catch (error) {
      if (!isFleetlogError(error, 'FLEETLOG_STORE_BROKEN') || options.signal.aborted) throw error;
      const salvages = lives > 1 || isDamage(error);
      options.logger.error({ salvages }, `${error.message} The gateway begins anew.`);
      if (salvages) await note(bufferFolder(config), error.message);
    }
  }
}

async function note(folder: string, reason: string): Promise<void> {
  try {
    await noteDamage(folder, reason);
  } catch (cause) {
    throw new FleetlogError(
      'FLEETLOG_STORE',
      `Nothing can be written to ${folder} any more; see what the kernel says of the disk (dmesg), and repair or ` +
        'replace it. A gateway that is a service tries again by itself; start any other again.',
      { cause },
    );
  }
}

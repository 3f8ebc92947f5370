import type { Command } from 'commander';
import { stopSignal } from '@fleetlog/shared/cli';
import { FleetlogError } from '@fleetlog/shared/errors';
import { contextOf, createSubcommand, type CliStreams } from './fleetlog-context.js';

/** The cloud sends a sign of life every 10 s. */
const silenceMsMax = 45_000;

export function tailCommand(streams: CliStreams): Command {
  return createSubcommand(
    'tail',
    'Records as they enter the log, one a line: gateway, stream, and the line of candump or the text.\n' +
      'Ctrl-C ends it.',
    [
      'fleetlog tail',
      'fleetlog tail --gateway truck-17 --stream can0 | grep " 201#"',
      'fleetlog tail --from -10m --json',
    ],
  )
    .option('--gateway <id>', 'only this gateway')
    .option('--stream <name>', 'only this stream')
    .option('--from <time>', 'begin with what the cloud received at or after this (default: now)')
    .option(
      '--times <which>',
      "corrected: as the gateway's clock is known now (default), or original: as stamped",
    )
    .action(
      async (
        query: { gateway?: string; stream?: string; from?: string; times?: string },
        command: Command,
      ) => {
        const { api, json, out } = contextOf(command, streams);
        const signal = stopSignal();
        try {
          const format = json ? 'ndjson' : 'text';
          const { chunks } = await api.stream('/v1/tail', { ...query, format }, { silenceMsMax, signal });
          const life = new LifeSigns();
          for await (const chunk of chunks) {
            const lines = life.remove(chunk);
            if (lines.length > 0) await out.write(lines);
          }
        } catch (error) {
          if (!signal.aborted) throw error;
          return;
        }
        if (!signal.aborted) throw new FleetlogError('FLEETLOG_INTERRUPTED', 'The cloud has ended the tail.');
      },
    );
}

const LF = 0x0a;

/** Takes the empty lines out, which only say that the connection lives. */
export class LifeSigns {
  private atLineStart = true;

  remove(chunk: Uint8Array): Uint8Array {
    const kept = Buffer.allocUnsafe(chunk.length);
    let length = 0;
    for (const byte of chunk) {
      if (byte !== LF || !this.atLineStart) kept[length++] = byte;
      this.atLineStart = byte === LF;
    }
    return kept.subarray(0, length);
  }
}

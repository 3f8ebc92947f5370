import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { AnswerIsNo, describeCommand, stopSignal } from '@fleetlog/shared/cli';
import { FleetlogError } from '@fleetlog/shared/errors';
import { takeBackup } from '../backup/copy.js';
import { damagedFiles } from '../backup/damage.js';
import { neededDescription } from '../backup/description.js';
import { restore } from '../backup/restore.js';
import { ApiClient } from '../client/api-client.js';
import { isoMicros } from '../export/iso-time.js';
import { StreamOutput } from './fleetlog-output.js';
import { Progress } from './fleetlog-progress.js';
import { bytes, count, moment } from './fleetlog-table.js';

const json = new Option('--json', 'print one line of JSON').default(false);

/** Takes a backup of a cloud that runs. */
export function backupCommand(): Command {
  return subcommand(
    'backup',
    'Copies what a running cloud holds, as it is at one moment, into a folder: the log with all checkpoints, and the\n' +
      'catalogue. Run again it brings the folder up to date, and copies only what is new. What was in it stays whole\n' +
      'until then, whatever happens.',
    ['fleetlog-cloud backup /mnt/disk/fleet', 'fleetlog-cloud backup ./fleet --url http://cloud:8080 --json'],
  )
    .argument('<dir>', 'folder of the backup, empty the first time')
    .addOption(
      new Option('--url <url>', 'where the cloud serves')
        .env('FLEETLOG_URL')
        .default('http://127.0.0.1:8080'),
    )
    .addOption(json)
    .action(async (dir: string, options: { url: string; json: boolean }) => {
      const progress = new Progress(process.stderr);
      const result = await takeBackup(new ApiClient(options.url), resolve(dir), {
        signal: stopSignal(),
        onBytes: (length) => progress.add(length),
      });
      progress.end();
      const { takenUs, ...sums } = result;
      const taken = isoMicros(takenUs);
      await print(
        options.json,
        { taken, ...sums },
        `backup of ${moment(taken)}: ${count(sums.files)} files, ${bytes(sums.bytes)}; ` +
          `${count(sums.copiedFiles)} files, ${bytes(sums.copiedBytes)} of them copied now, in ${progress.seconds.toFixed(1)} s\n`,
      );
    });
}

/** Makes a data folder of a backup. */
export function restoreCommand(): Command {
  return subcommand(
    'restore',
    'Makes an empty folder the data folder of a cloud again, as it was at the moment of a backup. The index is built\n' +
      'from the log when the cloud starts. What gateways were told was safe after that moment is gone, unless they still\n' +
      'have it: "fleetlog gaps" says which sequences, as soon as they have connected.',
    ['fleetlog-cloud restore /mnt/disk/fleet --data ./cloud'],
  )
    .argument('<dir>', 'folder of the backup')
    .addOption(json)
    .action(async (dir: string, options: { json: boolean }, command: Command) => {
      const { data = process.env.FLEETLOG_DATA } = command.optsWithGlobals<{ data?: string }>();
      if (data === undefined) {
        throw new FleetlogError('FLEETLOG_USAGE', 'Say where to: --data DIR, an empty folder.');
      }
      const progress = new Progress(process.stderr);
      const { takenUs, files } = await restore(resolve(dir), resolve(data), (length) => progress.add(length));
      progress.end();
      const taken = isoMicros(takenUs);
      await print(
        options.json,
        { taken, data: resolve(data), files: files.length, bytes: progress.bytes },
        `${data} is as it was at ${moment(taken)}: ${count(files.length)} files, ${bytes(progress.bytes)}, ` +
          `in ${progress.seconds.toFixed(1)} s; start it with "fleetlog-cloud --data ${data}"\n`,
      );
    });
}

/** Whether a backup could be restored. */
export function verifyBackupCommand(): Command {
  return subcommand(
    'verify-backup',
    'Reads all of a backup and compares each file with the checksum that it was copied with. Exit status 3 where\n' +
      'anything is damaged or missing.',
    ['fleetlog-cloud verify-backup /mnt/disk/fleet'],
  )
    .argument('<dir>', 'folder of the backup')
    .addOption(json)
    .action(async (dir: string, options: { json: boolean }) => {
      const progress = new Progress(process.stderr);
      const path = resolve(dir);
      const { files, takenUs } = await neededDescription(path);
      const damaged = [];
      for await (const one of damagedFiles(path, (length) => progress.add(length))) {
        damaged.push(one);
        if (!options.json) process.stdout.write(`${one.problem}: ${one.path}: ${one.content}\n`);
      }
      progress.end();
      const taken = isoMicros(takenUs);
      await print(
        options.json,
        { taken, files: files.length, bytes: progress.bytes, damaged },
        `backup of ${moment(taken)}: ${count(files.length)} files, ${bytes(progress.bytes)} read: ` +
          `${damaged.length === 0 ? 'all is well' : `${count(damaged.length)} damaged`}\n`,
      );
      if (damaged.length > 0) throw new AnswerIsNo();
    });
}

function subcommand(name: string, description: string, examples: string[]): Command {
  const command = new Command(name).showHelpAfterError(`See fleetlog-cloud ${name} --help.`);
  return describeCommand(command, description, examples);
}

async function print(isJson: boolean, value: unknown, text: string): Promise<void> {
  const out = new StreamOutput(process.stdout);
  await out.write(isJson ? `${JSON.stringify(value)}\n` : text);
  await out.finish();
}

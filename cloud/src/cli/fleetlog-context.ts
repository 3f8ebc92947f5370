import { Command, Option } from 'commander';
import { createCommand, describeCommand } from '@fleetlog/shared/cli';
import { ApiClient } from '../client/api-client.js';
import { StreamOutput } from './fleetlog-output.js';

/** What a command works with. */
export interface CliContext {
  api: ApiClient;
  json: boolean;
  out: StreamOutput;
  stderr: NodeJS.WriteStream;
}

export interface CliStreams {
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

export function createRoot(): Command {
  return createCommand('fleetlog', 'Reads what the fleet has recorded, from the cloud.', [
    'fleetlog streams',
    'fleetlog gaps',
    'fleetlog export --gateway truck-17 --stream can0 --format candump --output drive.candump',
  ])
    .addOption(
      new Option('--url <url>', 'where the cloud serves')
        .env('FLEETLOG_URL')
        .default('http://127.0.0.1:8080'),
    )
    .option('--json', 'print JSON', false)
    .configureHelp({ showGlobalOptions: true });
}

/** A subcommand; options that the root has may stand before or behind its name. */
export function createSubcommand(name: string, description: string, examples: string[]): Command {
  return describeCommand(
    new Command(name).showHelpAfterError(`See fleetlog ${name} --help.`),
    description,
    examples,
  ).configureHelp({ showGlobalOptions: true });
}

export function contextOf(command: Command, { stdout, stderr }: CliStreams): CliContext {
  const { url, json } = command.optsWithGlobals<{ url: string; json: boolean }>();
  return { api: new ApiClient(url), json, out: new StreamOutput(stdout), stderr };
}

/** Says where an answer may lack what was acknowledged just now. */
export function noteLag({ stderr }: CliContext, indexLag: number): void {
  if (indexLag > 0) {
    stderr.write(`fleetlog: the cloud still indexes ${indexLag} batches, which may be missing here.\n`);
  }
}

/** The answer as JSON, or as people like to read it. */
export async function print(
  { json, out }: CliContext,
  value: unknown,
  forPeople: () => string,
): Promise<void> {
  await out.write(json ? `${JSON.stringify(value)}\n` : forPeople());
  await out.finish();
}

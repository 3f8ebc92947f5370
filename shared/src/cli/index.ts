import { Command, CommanderError } from 'commander';
import { FleetlogError, systemCode } from '../errors/index.js';

/** Exit statuses that all commands share. */
export const exitStatus = { done: 0, failed: 1, usage: 2, answerIsNo: 3 } as const;

export const productVersion = '0.1.0';

/** A command with the manners of all Fleetlog commands: `--help` with examples, `--version`, errors that throw. */
export function createCommand(name: string, description: string, examples: string[]): Command {
  return describeCommand(
    new Command(name).version(productVersion).showHelpAfterError(`See ${name} --help.`),
    description,
    examples,
  );
}

/** Adds description and examples, and makes usage errors throw instead of ending the process. */
export function describeCommand(command: Command, description: string, examples: string[]): Command {
  command.description(description).exitOverride();
  if (examples.length > 0) {
    command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ ${line}`).join('\n')}`);
  }
  return command;
}

/** Thrown by a command whose work went well and whose answer is no. */
export class AnswerIsNo extends Error {}

/**
 * Runs a command line to its exit status. A person's mistake is one sentence on stderr; only a defect of ours shows
 * a stack.
 */
export async function runCli(command: Command, argv: readonly string[] = process.argv): Promise<void> {
  // Who read our output has seen enough; what works on besides, such as a gateway, goes on.
  process.stdout.on('error', (error) => {
    if (systemCode(error) !== 'EPIPE') throw error;
  });
  process.exitCode = await statusOf(command, argv);
}

async function statusOf(command: Command, argv: readonly string[]): Promise<number> {
  try {
    await command.parseAsync(argv as string[]);
    return typeof process.exitCode === 'number' ? process.exitCode : exitStatus.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitStatus.done : exitStatus.usage;
    if (error instanceof AnswerIsNo) return exitStatus.answerIsNo;
    if (error instanceof FleetlogError && error.class !== 'defect') {
      process.stderr.write(`${command.name()}: ${error.message}\n`);
      return error.class === 'usage' ? exitStatus.usage : exitStatus.failed;
    }
    if (systemCode(error) === 'EPIPE') return exitStatus.done; // the reader of our output has seen enough
    process.stderr.write(
      `${command.name()}: this is a defect of Fleetlog, please report it: ${error instanceof Error ? error.stack : String(error)}\n`,
    );
    return exitStatus.failed;
  }
}

/** Aborts at the first Ctrl-C or SIGTERM; a second one, or 5 s, ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(exitStatus.failed);
    controller.abort(new FleetlogError('FLEETLOG_INTERRUPTED', 'Stopped by a signal.'));
    setTimeout(() => process.exit(exitStatus.failed), 5000).unref();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return controller.signal;
}

import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import type { Command } from 'commander';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import type { Added, DatabaseDetails, Databases } from '../api/catalogue-schemas.js';
import { contextOf, createSubcommand, print, type CliStreams } from './fleetlog-context.js';
import { bytes, count, moment, oneLine, table } from './fleetlog-table.js';

const shownProblems = 20;
/** When the databases that come with Fleetlog were added. */
const never = '1970-01-01T00:00:00.000000Z';
/** Digits of a version that people see; the API takes as few. */
const shortVersion = (version: string): string => version.slice(0, 12);

export function databasesCommand(streams: CliStreams): Command {
  return createSubcommand(
    'databases',
    'Databases (DBC files) that say what frames mean. Kept by content: each change is a new version.',
    [
      'fleetlog databases add ford.dbc --name ford',
      'fleetlog databases list',
      'fleetlog databases show ford --message EngineData',
      'fleetlog assign --gateway truck-17 --stream can0 --database ford',
    ],
  )
    .addCommand(addCommand(streams))
    .addCommand(listCommand(streams))
    .addCommand(showCommand(streams));
}

function addCommand(streams: CliStreams): Command {
  return createSubcommand('add', 'Adds a DBC file, or a new content of a database.', [
    'fleetlog databases add ford.dbc --name ford',
  ])
    .argument('<file>', 'DBC file')
    .option('--name <name>', "name of the database (default: the file's)")
    .option('--ignore-errors', 'take what can be read of a file that has errors', false)
    .action(async (path: string, options: { name?: string; ignoreErrors: boolean }, command: Command) => {
      const context = contextOf(command, streams);
      const file = basename(path);
      const { name = basename(path, extname(path)), ignoreErrors } = options;
      const query = { name, file, ...(ignoreErrors && { ignoreErrors: 'true' }) };
      const added = await context.api.change<Added>('POST', '/v1/databases', query, await contentOf(path));
      await print(context, added, () => addedText(added, path));
    });
}

async function contentOf(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `${path} can't be read (${systemCode(cause) ?? 'error'}); give the path of a DBC file.`,
      { cause },
    );
  }
}

function addedText({ name, isNew, version, messages, signals, ...rest }: Added, path: string): string {
  const { errors, warnings, problems } = rest;
  const lines = problems
    .slice(0, shownProblems)
    .map(({ line, column, severity, text }) => `${path}:${line}:${column}: ${severity}: ${text}\n`);
  const hidden = errors + warnings - lines.length;
  if (hidden > 0)
    lines.push(`${count(hidden)} more; "fleetlog databases show ${name} --problems" shows them.\n`);
  const what = `${count(messages)} messages, ${count(signals)} signals`;
  const was = isNew ? '' : ', as it was';
  return `${lines.join('')}${name} ${shortVersion(version)}: ${what}, ${count(errors)} errors, ${count(warnings)} warnings${was}\n`;
}

function listCommand(streams: CliStreams): Command {
  return createSubcommand('list', 'Databases with their current version.', [
    'fleetlog databases list',
  ]).action(async (_options, command: Command) => {
    const context = contextOf(command, streams);
    const { body } = await context.api.json<Databases>('/v1/databases');
    await print(context, body.databases, () =>
      table(body.databases, [
        { title: 'name', text: ({ name }) => name },
        { title: 'version', text: ({ version }) => shortVersion(version) },
        { title: 'versions', text: ({ versions }) => count(versions), right: true },
        { title: 'messages', text: ({ messages }) => count(messages), right: true },
        { title: 'signals', text: ({ signals }) => count(signals), right: true },
        { title: 'errors', text: ({ errors }) => count(errors), right: true },
        { title: 'warnings', text: ({ warnings }) => count(warnings), right: true },
        { title: 'bytes', text: (row) => bytes(row.bytes), right: true },
        { title: 'assigned', text: ({ assignments }) => count(assignments), right: true },
        { title: 'added', text: ({ added }) => moment(added === never ? undefined : added) },
        { title: 'file', text: ({ file }) => file },
      ]),
    );
  });
}

interface ShowOptions {
  message?: string;
  revision?: string;
  problems: boolean;
}

function showCommand(streams: CliStreams): Command {
  return createSubcommand('show', 'Messages of a database, or the signals of one of them.', [
    'fleetlog databases show ford',
    'fleetlog databases show ford --message EngineData',
    'fleetlog databases show ford --problems',
    'fleetlog databases show ford --revision 3f9a01bc22d4 --json',
  ])
    .argument('<name>', 'name of the database')
    .option('--message <name>', 'the signals of this message (name or identifier)')
    .option('--revision <version>', 'not the current content but this one (first digits will do)')
    .option('--problems', 'what is wrong or strange in its file', false)
    .action(async (name: string, { message, revision, problems }: ShowOptions, command: Command) => {
      const context = contextOf(command, streams);
      const path = `/v1/databases/${encodeURIComponent(name)}`;
      const { body } = await context.api.json<DatabaseDetails>(path, { version: revision });
      if (message !== undefined) {
        const one = messageOf(body, message);
        await print(context, one, () => signalTable(one));
      } else {
        await print(context, body, () => (problems ? problemList(body) : messageTable(body)));
      }
    });
}

type MessageRow = DatabaseDetails['content'][number];

function messageOf({ name, content }: DatabaseDetails, wanted: string): MessageRow {
  const id = wanted.replace(/^0x/i, '').toUpperCase();
  const found =
    content.find((message) => message.name === wanted) ?? content.find((message) => message.id === id);
  if (found) return found;
  throw new FleetlogError(
    'FLEETLOG_NOT_FOUND',
    `Database ${name} has no message ${wanted}; "fleetlog databases show ${name}" lists them.`,
  );
}

function messageTable({ name, content, versions, version }: DatabaseDetails): string {
  const rows = table(content, [
    { title: 'message', text: (row) => row.name },
    { title: 'id', text: ({ id }) => id },
    { title: 'format', text: ({ format }) => format },
    { title: 'bytes', text: ({ length }) => count(length), right: true },
    { title: 'cycle', text: ({ cycleTimeMs }) => (cycleTimeMs ? `${cycleTimeMs} ms` : ''), right: true },
    { title: 'signals', text: ({ signals }) => count(signals.length), right: true },
    { title: 'sender', text: ({ sender }) => sender },
    { title: 'comment', text: ({ comment }) => oneLine(comment) },
  ]);
  const list = versions.map((one) => `${shortVersion(one.version)} (${moment(one.added)})`).join(', ');
  return `${rows}\n${name} ${shortVersion(version)}; versions: ${list}\n`;
}

function signalTable({ signals }: MessageRow): string {
  return table(signals, [
    { title: 'signal', text: ({ name }) => name },
    {
      title: 'bits',
      text: (row) =>
        `${row.startBit}|${row.length} ${row.byteOrder === 'big' ? 'big-endian' : 'little-endian'}`,
    },
    { title: 'raw', text: ({ raw }) => raw },
    { title: 'factor', text: ({ factor }) => String(factor), right: true },
    { title: 'offset', text: ({ offset }) => String(offset), right: true },
    { title: 'unit', text: ({ unit }) => unit },
    {
      title: 'when',
      text: ({ multiplexor, when = [] }) =>
        multiplexor === undefined
          ? ''
          : `${multiplexor} = ${when.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(', ')}`,
    },
    {
      title: 'labels',
      text: ({ labels = [] }) => oneLine(labels.map(({ raw, label }) => `${raw}: ${label}`).join(', ')),
    },
    { title: 'comment', text: ({ comment }) => oneLine(comment) },
  ]);
}

function problemList({ problems, errors, warnings }: DatabaseDetails): string {
  const lines = problems.map(
    ({ line, column, severity, text }) => `${line}:${column}: ${severity}: ${text}\n`,
  );
  return `${lines.join('')}${count(errors)} errors, ${count(warnings)} warnings\n`;
}

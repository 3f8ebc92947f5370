import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { AnswerIsNo } from '@fleetlog/shared/cli';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { VerifyEvent } from '../integrity/verify.js';
import { contextOf, createSubcommand, type CliStreams } from './fleetlog-context.js';
import { bytes, count } from './fleetlog-table.js';

/** A large index takes its time between two signs of life. */
const silenceMsMax = 600_000;

export function verifyCommand(streams: CliStreams): Command {
  return createSubcommand(
    'verify',
    'Reads the whole log: the checksum of every batch, the index against the log, and what gateways were told is safe\n' +
      'against both. Names the first bad offset of each damage. Exit status 3 where anything is wrong.',
    ['fleetlog verify', 'fleetlog verify --json'],
  ).action(async (_options, command: Command) => {
    const { api, json, out, stderr } = contextOf(command, streams);
    const { chunks } = await api.stream('/v1/verify', {}, { silenceMsMax });
    let result: Extract<VerifyEvent, { event: 'result' }> | undefined;
    for await (const line of createInterface(Readable.from(chunks, { objectMode: false }))) {
      const event = JSON.parse(line) as VerifyEvent;
      if (json) await out.write(`${line}\n`);
      else if (event.event === 'problem') await out.write(problemText(event));
      else if (event.event === 'progress' && stderr.isTTY) {
        stderr.write(`fleetlog: ${count(event.checked)} of ${count(event.batches)} batches\r`);
      }
      if (event.event === 'result') result = event;
    }
    if (!result) throw new FleetlogError('FLEETLOG_INTERRUPTED', 'The cloud ended before all was checked.');
    if (!json) await out.write(resultText(result));
    await out.finish();
    if (result.problems > 0) throw new AnswerIsNo();
  });
}

function problemText(problem: Extract<VerifyEvent, { event: 'problem' }>): string {
  const { kind, detail, partition, first, last, gateway, stream } = problem;
  const offsets = first === last ? `offset ${first}` : `offsets ${first} to ${last}`;
  const place = first === undefined ? '' : `partition ${partition}, ${offsets}`;
  const who = gateway === undefined ? '' : `${gateway} ${stream ?? ''}`.trim();
  return `${kind}: ${[place, who].filter(Boolean).join(', ')}: ${detail}\n`;
}

const resultText = ({
  batches,
  bytes: size,
  streams,
  problems,
}: Extract<VerifyEvent, { event: 'result' }>): string =>
  `${count(batches)} batches of ${count(streams)} streams read, ${bytes(size)}: ` +
  `${problems === 0 ? 'all is well' : `${count(problems)} problem${problems === 1 ? '' : 's'}`}\n`;

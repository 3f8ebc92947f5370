import { emitKeypressEvents } from 'node:readline';
import { InvalidArgumentError, type Command } from 'commander';
import { stopSignal } from '@fleetlog/shared/cli';
import { FleetlogError } from '@fleetlog/shared/errors';
import { systemClock } from '@fleetlog/shared/util';
import { isoMicros } from '../export/iso-time.js';
import { parseAddress } from '../listen.js';
import { ReplayControl } from '../replay/control.js';
import { Replay } from '../replay/replay.js';
import { isTarget, targetFormat } from '../replay/target-names.js';
import { contextOf, createSubcommand, type CliStreams } from './fleetlog-context.js';
import { count } from './fleetlog-table.js';

interface ReplayFlags {
  gateway: string[];
  stream?: string[];
  from?: string;
  to: string[];
  speed: number;
  loop: boolean;
  times: 'original' | 'now';
  control?: string;
}

function speedOf(text: string): number {
  const speed = text === 'max' ? Infinity : Number(text);
  if (!(speed > 0)) throw new InvalidArgumentError('Write a factor such as 1 or 10, or max.');
  return speed;
}

function timesOf(text: string): ReplayFlags['times'] {
  if (text !== 'original' && text !== 'now') throw new InvalidArgumentError('Write original or now.');
  return text;
}

const collect = (text: string, before: string[]): string[] => [...before, text];

export function replayCommand(streams: CliStreams): Command {
  return createSubcommand(
    'replay',
    'The past once more, at its own pace: records of all chosen streams in event-time order, each when it is due.\n\n' +
      'Targets: candump:- (stdout), candump:FILE, udp://HOST:PORT, mqtt://HOST:PORT/PREFIX, and CAN interfaces such as\n' +
      'vcan0 (by canplayer of can-utils). CAN goes to candump and interfaces; JSON, a record each, to the others.\n\n' +
      'On a terminal: space pauses and goes on, the arrows go 10 s back and forth. With --control a program does:\n' +
      'GET / tells where it is; POST /pause, /resume, /seek?to=TIME, /seek?by=SECONDS.',
    [
      'fleetlog replay --gateway truck-17 --from -10m --to candump:-',
      'fleetlog replay --gateway truck-17 bus-4 --from -1h --to -30m --speed 10 --to mqtt://127.0.0.1/replay',
      'fleetlog replay --gateway truck-17 --stream can0 --from -1m --to vcan0 --loop --times now',
    ],
  )
    .requiredOption('--gateway <id...>', 'gateway, or several')
    .option('--stream <name...>', 'stream, or several (default: all that fit the target)')
    .option('--from <time>', 'first event time, inclusive')
    .option(
      '--to <time or target>',
      'last event time, exclusive; and, once more, where records go',
      collect,
      [],
    )
    .option('--speed <factor>', 'event time per time: 1 (default), 10, 0.5, max', speedOf, 1)
    .option('--loop', 'begin anew at the end', false)
    .option(
      '--times <which>',
      'original (default), or now: the time at which each is due',
      timesOf,
      'original',
    )
    .option(
      '--control <host:port>',
      'serve HTTP there that pauses, resumes and seeks; port 0 takes a free one',
    )
    .action(async (flags: ReplayFlags, command: Command) => {
      const { api, json, stderr } = contextOf(command, streams);
      const targets = flags.to.filter(isTarget);
      const ends = flags.to.filter((text) => !isTarget(text));
      if (targets.length !== 1 || ends.length > 1) {
        throw new FleetlogError(
          'FLEETLOG_USAGE',
          'Say where to, once: --to candump:-, udp://HOST:PORT, mqtt://HOST:PORT/PREFIX or vcan0 (and --to TIME where it ends).',
        );
      }
      const [target] = targets;
      const { gateway, stream, from, speed, loop, times } = flags;
      const query = { gateway, stream, from, to: ends[0], format: targetFormat(target) };
      const signal = stopSignal();
      // Records of one stream don't name it.
      const place = stream && `${gateway[0]}/${stream[0]}`;
      const replay = new Replay(api, systemClock, { query, speed, loop, times });
      const { openTarget } = await import('../replay/targets.js'); // no other command needs MQTT
      const output = await openTarget(target, { stdout: streams.stdout, place });
      const startedUs = systemClock.monotonicUs();
      const release = keyboard(replay, stderr);
      await using control = await controlOf(replay, flags.control);
      if (control) stderr.write(`fleetlog: control at ${control.url}\n`);
      try {
        await replay.run(output, signal);
      } finally {
        release();
        await output.close();
      }
      stderr.write(report(replay, (systemClock.monotonicUs() - startedUs) / 1e6, json));
    });
}

async function controlOf(replay: Replay, at: string | undefined): Promise<ReplayControl | undefined> {
  if (at === undefined) return undefined;
  const address = parseAddress(at);
  if (!address) {
    throw new FleetlogError('FLEETLOG_USAGE', `--control is "${at}"; write HOST:PORT, such as 127.0.0.1:0.`);
  }
  return ReplayControl.listen(replay, address, () => systemClock.nowUs());
}

function report({ sent, pacer: { error } }: Replay, seconds: number, json: boolean): string {
  const errorMs = { p50: error.quantileMs(0.5), p99: error.quantileMs(0.99), max: error.maxMs };
  if (json) return `${JSON.stringify({ records: sent, seconds, pacingErrorMs: errorMs })}\n`;
  const pacing =
    error.count === 0
      ? ''
      : `; from their time: half within ${errorMs.p50.toFixed(2)} ms, 99 % within ${errorMs.p99.toFixed(2)} ms, ` +
        `all within ${errorMs.max.toFixed(2)} ms`;
  return `fleetlog: ${count(sent)} records in ${seconds.toFixed(1)} s${pacing}\n`;
}

const seekStepUs = 10_000_000;

/** Space and arrows, where there is a keyboard. Returns what gives it back. */
function keyboard(replay: Replay, stderr: NodeJS.WriteStream): () => void {
  const { stdin } = process;
  if (!stdin.isTTY) return () => {};
  emitKeypressEvents(stdin);
  stdin.setRawMode(true);
  const press = (_text: string | undefined, key: { name?: string; ctrl?: boolean }): void => {
    if (key.ctrl && key.name === 'c') process.kill(process.pid, 'SIGINT');
    else if (key.name === 'space') {
      if (replay.pacer.isPaused) replay.pacer.resume();
      else replay.pacer.pause();
      stderr.write(
        `${replay.pacer.isPaused ? 'paused at' : 'going on at'} ${isoMicros(replay.positionUs)}\n`,
      );
    } else if (key.name === 'left' || key.name === 'right') {
      replay.seek(replay.positionUs + (key.name === 'left' ? -seekStepUs : seekStepUs));
    }
  };
  stdin.on('keypress', press);
  return () => {
    stdin.off('keypress', press);
    stdin.setRawMode(false);
    stdin.pause();
  };
}

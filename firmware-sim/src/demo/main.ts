#!/usr/bin/env node
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidArgumentError } from 'commander';
import { createCommand, runCli, stopSignal } from '@fleetlog/shared/cli';
import { systemClock } from '@fleetlog/shared/util';
import { runDemo } from './demo.js';

/** `npm start`. */
interface Options {
  data: string;
  mqtt: number;
  http: number;
  seconds?: number;
}

const demo = createCommand(
  'npm start',
  'A fleet at work on this machine: a cloud, and gateways with invented vehicles that drive round a town with a tunnel, or one for each recording.',
  [
    'npm start',
    'npm start -- drive.candump ride.nmea',
    'npm start -- --data /tmp/demo --mqtt 2883 --http 9090',
  ],
)
  .usage('-- [options] [recordings...]')
  .argument('[recordings...]', 'candump text or any lines (NMEA), fed as if they happened now')
  .option(
    '--data <folder>',
    'where everything is kept',
    fileURLToPath(new URL('../../../.fleetlog-demo', import.meta.url)),
  )
  .option('--mqtt <port>', 'port of the broker', port, 1883)
  .option('--http <port>', 'port of the API', port, 8080)
  .option(
    '--seconds <n>',
    'end after so long; status 0 if every gateway got data through without a gap',
    seconds,
  )
  .action((recordings: string[], options: Options) =>
    runDemo(
      {
        recordings,
        dataFolder: resolve(options.data),
        mqttPort: options.mqtt,
        httpPort: options.http,
        seconds: options.seconds,
      },
      { output: process.stdout, clock: systemClock, signal: stopSignal() },
    ),
  );
await runCli(demo);

function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError('Give a port, 0 to 65535.');
  return value;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 86_400)) throw new InvalidArgumentError('Give a number of seconds.');
  return value;
}

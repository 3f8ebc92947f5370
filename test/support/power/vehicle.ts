import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { controlSocketPath } from '#gateway/control/protocol.js';
import { bins, Command } from '../chaos/process.js';

export interface LifeOptions {
  /** `mqtt://…` of the cloud; one that nobody answers where it isn't given. */
  cloud?: string | undefined;
  /** `buffer.limit`. */
  limit?: string;
  /** Its sources say nothing: it only opens what is there. */
  silent?: boolean;
  /** Its barriers do nothing. */
  withoutSync?: boolean;
}

const nowhere = 'mqtt://127.0.0.1:9';
const withoutSync = fileURLToPath(new URL('without-sync.js', import.meta.url));

/** Lines that don't compress, 250 kB/s of them; ends with the one who reads. */
const noise = 'while :; do head -c 4500 /dev/urandom | base64 -w 75 || exit 0; sleep 0.02; done';
const frames = `exec ${process.execPath} ${bins.sim} stream --format candump --rate 4`;

/** A gateway as people configure it, with its data on the disk that loses power. */
export class PowerVehicle {
  readonly dataFolder: string;
  private readonly configPath: string;

  constructor(
    readonly id: string,
    folder: string,
    disk: string,
  ) {
    this.dataFolder = join(disk, 'data');
    this.configPath = join(folder, 'gateway.yaml');
  }

  get controlSocket(): string {
    return controlSocketPath(this.dataFolder);
  }

  get bufferFolder(): string {
    return join(this.dataFolder, 'buffer');
  }

  /** Starts a life of it. */
  async start(options: LifeOptions): Promise<Command> {
    const { cloud = nowhere, limit = '32MiB', silent = false } = options;
    // Small, so that tables are written and logs begun anew within a second; but RocksDB syncs what it puts in tables.
    const writeBuffer = options.withoutSync ? '4MiB' : '64KiB';
    const batch = { linger: '20ms' };
    const source = (command: string, format: string): object => ({
      source: 'command',
      command: silent ? 'exec sleep 3600' : command,
      format,
      batch,
    });
    const config = {
      gateway: this.id,
      data: this.dataFolder,
      logLevel: 'info',
      uplink: { url: cloud, reconnect: '200ms', ackTimeout: '500ms' },
      buffer: { writeBuffer, commitInterval: '10ms', limit, minFree: '1MiB', ballast: '256KiB' },
      streams: { can0: source(frames, 'candump'), noise0: source(noise, 'lines') },
    };
    await writeFile(this.configPath, JSON.stringify(config, undefined, 2)); // JSON is YAML
    const within = options.withoutSync ? ['env', `NODE_OPTIONS=--import=${withoutSync}`] : [];
    const command = new Command(this.id, bins.gateway, ['--config', this.configPath, '--quiet'], within);
    command.start();
    return command;
  }
}

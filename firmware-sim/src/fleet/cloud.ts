import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { announcement, type Processes, type RunningProcess } from '../processes/processes.js';
import { Supervised } from './supervised.js';

export interface CloudAddress {
  mqttUrl: string;
  httpUrl: string;
}

/** Of gateways, by their ids. */
export type Passwords = Record<string, { password: string }>;

const script = fileURLToPath(new URL('../../../cloud/dist/cli/cloud-bin.js', import.meta.url));

/** A cloud of the run's own, on free ports that it keeps when it is started again. */
export class OwnCloud {
  private constructor(
    readonly address: CloudAddress,
    private readonly supervised: Supervised,
  ) {}

  /** Resolves when it serves. Errors: the sentence of a cloud that can't. */
  static async start(
    processes: Processes,
    folder: string,
    /** Who may connect; everybody where absent. */
    passwords: Passwords | undefined,
  ): Promise<OwnCloud> {
    const config = join(folder, 'cloud.yaml');
    const users = passwords && { users: passwords };
    await writeFile(config, `${JSON.stringify({ data: join(folder, 'cloud'), mqtt: { ...users } })}\n`); // JSON is YAML
    let [mqtt, http] = ['127.0.0.1:0', '127.0.0.1:0'];
    let first: RunningProcess | undefined;
    const supervised = new Supervised(() => {
      const args = ['--config', config, '--mqtt', mqtt, '--http', http];
      const running = processes.start('cloud', script, args);
      first ??= running;
      return running;
    });
    [, mqtt, http] = await announcement(first!, /^ready mqtt=(\S+) http=(\S+)$/m);
    return new OwnCloud({ mqttUrl: `mqtt://${mqtt}`, httpUrl: `http://${http}` }, supervised);
  }

  cut(): Promise<void> {
    return this.supervised.cut();
  }

  /** Resolves when it serves again. */
  async restore(): Promise<void> {
    const running = this.supervised.restore();
    if (running) await announcement(running, /^ready /m);
  }

  /** Rejects where it ends though nobody wanted it to. */
  get failure(): Promise<void> {
    return this.supervised.done;
  }
}

import type { MqttClient } from 'mqtt';
import { systemCode } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import { connectBroker } from '../client/broker.js';
import type { Alert } from './watcher.js';

export interface NotifierOptions {
  webhooks: readonly string[];
  mqtt: string | undefined;
  clock: Clock;
  signal: AbortSignal;
  /** Told where somebody can't be reached; it is tried again. */
  onTrouble: (text: string) => void;
}

const webhookMsMax = 10_000;
const retryMsMin = 500;
const retryMsMax = 30_000;

/** Tells alerts to others, until they have taken them: whoever waits for it commits nothing that wasn't told. */
export class Notifier implements AsyncDisposable {
  private constructor(
    private readonly options: NotifierOptions,
    private readonly client: MqttClient | undefined,
    private readonly prefix: string,
  ) {}

  /** Errors: FLEETLOG_UNREACHABLE, FLEETLOG_CONFIG. */
  static async open(options: NotifierOptions): Promise<Notifier> {
    if (options.mqtt === undefined) return new Notifier(options, undefined, '');
    const { client, prefix } = await connectBroker(options.mqtt, 'fleetlog/alerts');
    return new Notifier(options, client, prefix);
  }

  /** Resolves when everybody has it, or the signal aborts. */
  async tell(alert: Alert): Promise<void> {
    const body = JSON.stringify(alert);
    const { webhooks } = this.options;
    await Promise.all([
      ...webhooks.map((url) => this.untilTaken(`The webhook ${url}`, () => post(url, body))),
      this.client &&
        this.untilTaken('The broker', async () => {
          const topic = `${this.prefix}/${alert.gateway}/${alert.rule}`;
          await this.client?.publishAsync(topic, body, { qos: 1 });
        }),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client?.endAsync(true);
  }

  private async untilTaken(who: string, send: () => Promise<void>): Promise<void> {
    const { clock, signal, onTrouble } = this.options;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        return await send();
      } catch (error) {
        onTrouble(
          `${who} didn't take an alert (${systemCode(error) ?? (error as Error).message}); trying again.`,
        );
      }
      const backOffMs = Math.min(retryMsMax, retryMsMin * 2 ** attempt);
      await clock.sleep(backOffMs, signal).catch(() => undefined); // the loop looks at the signal
    }
    signal.throwIfAborted(); // nobody was told: it comes again
  }
}

async function post(url: string, body: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const signal = AbortSignal.timeout(webhookMsMax);
  const response = await fetch(url, { method: 'POST', headers, body, signal });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`status ${response.status}`);
}

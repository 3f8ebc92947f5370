import type { BatchHeader } from '@fleetlog/shared/batch';
import type { Signals } from '../api/signal-schemas.js';
import type { ApiClient } from '../client/api-client.js';
import { isoMicros } from '../export/iso-time.js';
import type { Rule } from './rules.js';
import { RuleState, type AlertChange } from './rule-state.js';

/** As it goes out. */
export interface Alert {
  rule: string;
  gateway: string;
  signal: string;
  state: AlertChange['state'];
  time: string;
  value?: number;
}

interface WatchedStream {
  /** Rules whose signal this stream has, by the signal's full name. */
  signals: Map<string, Rule[]>;
  namedUs: number;
  /** Up to here everything was judged. */
  judgedToUs: number | undefined;
}

const namesValidUs = 60_000_000;

const secondsText = (timeUs: number): string =>
  `${Math.floor(timeUs / 1e6)}.${String(((timeUs % 1e6) + 1e6) % 1e6).padStart(6, '0')}`;

/**
 * Judges what batches bring by the rules: values as `fleetlog query` gives them, so with the database of their time and
 * in event time, forwards only. What comes later than newer data (a backlog) isn't judged.
 */
export class Watcher {
  private readonly streams = new Map<string, WatchedStream>();
  private readonly states = new Map<string, RuleState>();

  constructor(
    private readonly api: Pick<ApiClient, 'json' | 'stream'>,
    private readonly rules: readonly Rule[],
    private readonly nowUs: () => number,
  ) {}

  /** Errors: those of the API. */
  async *batch({ gateway, stream, codec, firstTimeUs, lastTimeUs }: BatchHeader): AsyncGenerator<Alert> {
    const rules = this.rules.filter(({ gateways }) => gateways?.has(gateway) ?? true);
    if (codec === 'gap-1' || rules.length === 0) return;
    const watched = await this.watched(gateway, stream, rules);
    const fromUs = watched.judgedToUs ?? firstTimeUs;
    const toUs = lastTimeUs + 1;
    if (toUs <= fromUs) return;
    for (const [signal, interested] of watched.signals) {
      const states = interested.map((rule) => ({ rule, state: this.state(rule, gateway, signal) }));
      for (const { state } of states) if (watched.judgedToUs === undefined) state.passed(fromUs);
      for await (const { timeUs, value } of this.values(gateway, signal, fromUs, toUs)) {
        for (const { rule, state } of states) {
          // It may have been missing before it was said again.
          yield* alertOf(rule, gateway, signal, state.passed(timeUs));
          yield* alertOf(rule, gateway, signal, state.value(timeUs, value));
        }
      }
      for (const { rule, state } of states) yield* alertOf(rule, gateway, signal, state.passed(lastTimeUs));
    }
    watched.judgedToUs = toUs;
  }

  private state(rule: Rule, gateway: string, signal: string): RuleState {
    const key = `${rule.name} ${gateway} ${signal}`;
    let state = this.states.get(key);
    if (!state) this.states.set(key, (state = new RuleState(rule.condition)));
    return state;
  }

  /** Which signals a stream has is asked now and then: databases and assignments change. */
  private async watched(gateway: string, stream: string, rules: readonly Rule[]): Promise<WatchedStream> {
    const key = `${gateway}/${stream}`;
    const known = this.streams.get(key);
    if (known && this.nowUs() - known.namedUs < namesValidUs) return known;
    const { body } = await this.api.json<Signals>('/v1/signals', { gateway, stream });
    const signals = new Map<string, Rule[]>();
    for (const { name } of body.signals) {
      const interested = rules.filter(({ signal }) => name === signal || name.endsWith(`/${signal}`));
      if (interested.length > 0) signals.set(name, interested);
    }
    const watched = { signals, namedUs: this.nowUs(), judgedToUs: known?.judgedToUs };
    this.streams.set(key, watched);
    return watched;
  }

  private async *values(
    gateway: string,
    signal: string,
    fromUs: number,
    toUs: number,
  ): AsyncGenerator<{ timeUs: number; value: number }> {
    const range = { from: secondsText(fromUs), to: secondsText(toUs) };
    const query = { gateway, signal, ...range, format: 'ndjson' };
    const { chunks } = await this.api.stream('/v1/query', query, { silenceMsMax: 60_000 });
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    for (const line of Buffer.concat(parts).toString().split('\n')) {
      if (line === '') continue;
      const { time, ...values } = JSON.parse(line) as { time: string } & Record<string, unknown>;
      const [value] = Object.values(values);
      if (typeof value !== 'number') continue;
      yield { timeUs: Date.parse(`${time.slice(0, 19)}Z`) * 1000 + Number(time.slice(20, 26)), value };
    }
  }
}

function* alertOf(
  rule: Rule,
  gateway: string,
  signal: string,
  change: AlertChange | undefined,
): Generator<Alert> {
  if (!change) return;
  const { state, timeUs, value } = change;
  const time = isoMicros(timeUs);
  yield { rule: rule.name, gateway, signal, state, time, ...(value !== undefined && { value }) };
}

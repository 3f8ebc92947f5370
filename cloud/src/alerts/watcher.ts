import { SignalFollower, type BatchSpan, type QueryApi } from '../client/signal-follower.js';
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

/** A rule on the signals that it found in a stream. */
interface Watch {
  rule: Rule;
  /** Full names, in the order of the rule. */
  inputs: readonly string[];
  subject: string;
  state: RuleState;
}

/**
 * Judges what batches bring by the rules, forwards in event time; what comes later than newer data (a backlog) isn't
 * judged.
 */
export class Watcher {
  private readonly follower: SignalFollower;
  private readonly watches = new Map<string, Watch>();

  constructor(
    api: QueryApi,
    private readonly rules: readonly Rule[],
    nowUs: () => number,
  ) {
    const wants = (gateway: string, name: string): boolean =>
      this.rulesOf(gateway).some(({ signals }) => signals.some((signal) => isNamed(name, signal)));
    this.follower = new SignalFollower(api, wants, nowUs);
  }

  /** Errors: those of the API. */
  async *batch(header: BatchSpan): AsyncGenerator<Alert> {
    const { gateway, lastTimeUs } = header;
    if (this.rulesOf(gateway).length === 0) return;
    const brought = await this.follower.batch(header);
    if (!brought) return;
    const watches = this.rulesOf(gateway).flatMap((rule) => this.watchesOf(rule, gateway, brought.signals));
    if (brought.isFirst) for (const { state } of watches) state.passed(brought.fromUs);
    for await (const { timeUs, values } of brought.rows()) {
      for (const watch of watches) {
        const inputs = watch.inputs.map((name) => values.get(name));
        if (!inputs.every((value) => value !== undefined)) continue;
        // It may have been missing before it was said again.
        yield* alertOf(watch, gateway, watch.state.passed(timeUs));
        yield* alertOf(watch, gateway, watch.state.value(timeUs, watch.rule.measure(inputs)));
      }
    }
    for (const watch of watches) yield* alertOf(watch, gateway, watch.state.passed(lastTimeUs));
  }

  private rulesOf(gateway: string): Rule[] {
    return this.rules.filter(({ gateways }) => gateways?.has(gateway) ?? true);
  }

  /** One for each signal of that name; what a rule needs together has the same beginning. */
  private watchesOf(rule: Rule, gateway: string, names: readonly string[]): Watch[] {
    const [first, ...others] = rule.signals;
    return names.flatMap((name) => {
      if (!isNamed(name, first)) return [];
      const beginning = name.slice(0, -first.length);
      const inputs = [name, ...others.map((other) => beginning + other)];
      if (!inputs.every((input) => names.includes(input))) return [];
      const key = `${rule.name} ${gateway} ${name}`;
      const subject = rule.subject === undefined ? name : beginning + rule.subject;
      const watch = this.watches.get(key) ?? { rule, inputs, subject, state: new RuleState(rule.condition) };
      this.watches.set(key, watch);
      return [watch];
    });
  }
}

const isNamed = (name: string, signal: string): boolean => name === signal || name.endsWith(`/${signal}`);

function* alertOf(
  { rule, subject }: Watch,
  gateway: string,
  change: AlertChange | undefined,
): Generator<Alert> {
  if (!change) return;
  const { state, timeUs, value } = change;
  const time = isoMicros(timeUs);
  yield { rule: rule.name, gateway, signal: subject, state, time, ...(value !== undefined && { value }) };
}

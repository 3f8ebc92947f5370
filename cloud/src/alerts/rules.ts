import { Type, type Static } from '@fleetlog/shared/schema';
import { checkConfig, Duration, durationMs, readYaml } from '@fleetlog/shared/config';
import { FleetlogError } from '@fleetlog/shared/errors';

const closed = { additionalProperties: false };
const Bound = (description: string) => Type.Optional(Type.Number({ description }));

const RuleSchema = Type.Object(
  {
    name: Type.String({
      pattern: '^[a-z0-9][a-z0-9_-]{0,62}$',
      description: 'In the alert, and in its topic',
    }),
    signal: Type.String({ minLength: 1, maxLength: 255, description: 'As for fleetlog query' }),
    gateways: Type.Optional(Type.Array(Type.String(), { description: 'Only these' })),
    above: Bound('Raised where the value is above this'),
    below: Bound('Raised where the value is below this'),
    rateAbove: Bound('Raised where the value rises by more than this in a second'),
    rateBelow: Bound('Raised where the value changes by less than this in a second (falls: negative)'),
    missing: Type.Optional(
      Duration('Raised where the signal was not said for so long while its stream went on'),
    ),
    clear: Bound('Cleared at this value (hysteresis); at the bound itself without it'),
    for: Duration('The condition has to hold for so long', '0s'),
  },
  closed,
);

const RulesSchema = Type.Object(
  {
    rules: Type.Array(RuleSchema, { minItems: 1, maxItems: 1000 }),
    notify: Type.Object(
      {
        webhooks: Type.Array(Type.String({ format: 'uri' }), {
          default: [],
          description: 'URLs that get a POST',
        }),
        mqtt: Type.Optional(Type.String({ description: 'mqtt://HOST:PORT/PREFIX' })),
      },
      { ...closed, default: {} },
    ),
  },
  closed,
);

/** What one rule watches for. */
export interface Rule {
  name: string;
  signal: string;
  gateways: ReadonlySet<string> | undefined;
  condition:
    | { kind: 'missing'; forUs: number }
    | {
        kind: 'value' | 'rate';
        /** 1: above the bound; -1: below. */
        side: 1 | -1;
        bound: number;
        clear: number;
        forUs: number;
      };
}

export interface AlertRules {
  rules: Rule[];
  webhooks: string[];
  mqtt: string | undefined;
}

/** Errors: FLEETLOG_CONFIG. */
export function loadRules(path: string): AlertRules {
  const { rules, notify } = checkConfig(RulesSchema, readYaml(path), path);
  const names = new Set(rules.map(({ name }) => name));
  if (names.size < rules.length) {
    throw new FleetlogError('FLEETLOG_CONFIG', `${path}: two rules have one name; give each its own.`);
  }
  return { rules: rules.map((rule) => toRule(rule, path)), webhooks: notify.webhooks, mqtt: notify.mqtt };
}

function toRule(raw: Static<typeof RuleSchema>, path: string): Rule {
  const { name, signal, above, below, rateAbove, rateBelow, missing, clear } = raw;
  const gateways = raw.gateways && new Set(raw.gateways);
  const bounds = [
    { kind: 'value', side: 1, bound: above },
    { kind: 'value', side: -1, bound: below },
    { kind: 'rate', side: 1, bound: rateAbove },
    { kind: 'rate', side: -1, bound: rateBelow },
  ] as const;
  const [given, ...others] = bounds.filter(({ bound }) => bound !== undefined);
  if (others.length > 0 || (given !== undefined) === (missing !== undefined)) {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `${path}: rule ${name} needs one of above, below, rateAbove, rateBelow, missing.`,
    );
  }
  if (!given) {
    return { name, signal, gateways, condition: { kind: 'missing', forUs: durationMs(missing!) * 1000 } };
  }
  const { kind, side } = given;
  const bound = given.bound!;
  if (clear !== undefined && (clear - bound) * side > 0) {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `${path}: "clear" of rule ${name} must be ${side > 0 ? 'below' : 'above'} ${bound}, or it would never clear.`,
    );
  }
  const forUs = durationMs(raw.for) * 1000;
  return { name, signal, gateways, condition: { kind, side, bound, clear: clear ?? bound, forUs } };
}

import { Type, type Static } from '@fleetlog/shared/schema';
import { checkConfig, Duration, durationMs, readYaml } from '@fleetlog/shared/config';
import { FleetlogError } from '@fleetlog/shared/errors';
import { distanceFrom, type Fence } from './fence.js';

const closed = { additionalProperties: false };
const Bound = (description: string) => Type.Optional(Type.Number({ description }));

const Place = Type.Tuple(
  [Type.Number({ minimum: -90, maximum: 90 }), Type.Number({ minimum: -180, maximum: 180 })],
  { description: 'Latitude and longitude, degrees' },
);
const FenceSchema = (description: string) =>
  Type.Optional(
    Type.Object(
      {
        center: Type.Optional(Place),
        radius: Type.Optional(Type.Number({ exclusiveMinimum: 0, description: 'Metres' })),
        polygon: Type.Optional(Type.Array(Place, { minItems: 3, maxItems: 1000 })),
      },
      { ...closed, description },
    ),
  );

const RuleSchema = Type.Object(
  {
    name: Type.String({
      pattern: '^[a-z0-9][a-z0-9_-]{0,62}$',
      description: 'In the alert, and in its topic',
    }),
    signal: Type.Optional(
      Type.String({ minLength: 1, maxLength: 255, description: 'As for fleetlog query; not with a fence' }),
    ),
    gateways: Type.Optional(Type.Array(Type.String(), { description: 'Only these' })),
    above: Bound('Raised where the value is above this'),
    below: Bound('Raised where the value is below this'),
    rateAbove: Bound('Raised where the value rises by more than this in a second'),
    rateBelow: Bound('Raised where the value changes by less than this in a second (falls: negative)'),
    missing: Type.Optional(
      Duration('Raised where the signal was not said for so long while its stream went on'),
    ),
    inside: FenceSchema('Raised where the position is within this: center and radius in metres, or polygon'),
    outside: FenceSchema('Raised where it is not'),
    clear: Bound(
      'Cleared at this value (hysteresis); at the bound itself without it. Of a fence: metres beyond it',
    ),
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
  /** Ends of the signals' names that it needs a value of, from one stream and at one time. */
  signals: readonly string[];
  /** What is judged, of their values. */
  measure: (values: readonly number[]) => number;
  /** What the alert calls it; the full name of the signal where it is one. */
  subject: string | undefined;
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
  const { name, signal, above, below, rateAbove, rateBelow, missing, inside, outside, clear } = raw;
  const fail = (complaint: string): never => {
    throw new FleetlogError('FLEETLOG_CONFIG', `${path}: ${complaint}`);
  };
  const gateways = raw.gateways && new Set(raw.gateways);
  const forUs = durationMs(raw.for) * 1000;
  const fence = inside ?? outside;
  const bounds = [
    { kind: 'value', side: 1, bound: above },
    { kind: 'value', side: -1, bound: below },
    { kind: 'rate', side: 1, bound: rateAbove },
    { kind: 'rate', side: -1, bound: rateBelow },
  ] as const;
  const given = bounds.filter(({ bound }) => bound !== undefined);
  if (given.length + [missing, inside, outside].filter((part) => part !== undefined).length !== 1) {
    fail(`rule ${name} needs one of above, below, rateAbove, rateBelow, missing, inside, outside.`);
  }
  if (fence) {
    if (signal !== undefined)
      fail(`rule ${name} has a fence, which is about the position; leave out "signal".`);
    const border =
      toFence(fence) ?? fail(`the fence of rule ${name} needs a center and a radius, or a polygon.`);
    if (clear !== undefined && clear < 0)
      fail(`"clear" of rule ${name} is in metres beyond the fence, 0 or more.`);
    const side = outside ? 1 : -1;
    return {
      name,
      signals: ['position/latitude', 'position/longitude'],
      measure: ([latitude, longitude]) => distanceFrom(border, [latitude, longitude]),
      subject: 'position',
      gateways,
      condition: { kind: 'value', side, bound: 0, clear: -side * (clear ?? 0), forUs },
    };
  }
  if (signal === undefined) return fail(`rule ${name} needs a "signal".`);
  const rule = {
    name,
    signals: [signal],
    measure: ([value]: readonly number[]) => value,
    subject: undefined,
    gateways,
  };
  if (missing !== undefined) {
    return { ...rule, condition: { kind: 'missing', forUs: durationMs(missing) * 1000 } };
  }
  const [{ kind, side, bound = 0 }] = given;
  if (clear !== undefined && (clear - bound) * side > 0) {
    fail(
      `"clear" of rule ${name} must be ${side > 0 ? 'below' : 'above'} ${bound}, or it would never clear.`,
    );
  }
  return { ...rule, condition: { kind, side, bound, clear: clear ?? bound, forUs } };
}

function toFence({
  center,
  radius,
  polygon,
}: Static<ReturnType<typeof FenceSchema>> & object): Fence | undefined {
  if (center && radius !== undefined && !polygon) return { center, radiusM: radius };
  return polygon && !center && radius === undefined ? { polygon } : undefined;
}

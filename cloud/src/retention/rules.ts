import { Type, type Static } from '@fleetlog/shared/schema';
import { byteCount, Bytes, Duration, durationMs } from '@fleetlog/shared/config';

const namePattern = '^[a-z0-9*_-]{1,64}$';

const RuleSchema = Type.Object(
  {
    gateway: Type.Optional(
      Type.String({ pattern: namePattern, description: 'Gateways; * stands for any letters' }),
    ),
    stream: Type.Optional(
      Type.String({ pattern: namePattern, description: 'Streams; * stands for any letters' }),
    ),
    maxAge: Type.Optional(Duration('Batches that the cloud received longer ago go')),
    maxBytes: Type.Optional(
      Bytes('Size of all batches that the rule is for; what was received first goes first'),
    ),
  },
  { additionalProperties: false },
);

export const RetentionSchema = Type.Object(
  {
    rules: Type.Array(RuleSchema, {
      default: [],
      maxItems: 1000,
      description: 'A stream goes by the first rule that names it; without any it is kept for ever',
    }),
    every: Duration('How often the rules are applied', '1min'),
  },
  { additionalProperties: false, default: {} },
);

/** What is kept of the streams that the rule is for. */
export interface RetentionRule {
  /** As people wrote it. */
  name: string;
  matches(gateway: string, stream: string): boolean;
  maxAgeUs: number | undefined;
  maxBytes: number | undefined;
}

export interface RetentionConfig {
  rules: RetentionRule[];
  everyMs: number;
}

/** `fail` gets a sentence about what can't be. */
export function checkRetention(
  { rules, every }: Static<typeof RetentionSchema>,
  fail: (complaint: string) => never,
): RetentionConfig {
  const everyMs = durationMs(every);
  if (everyMs < 100 || everyMs > 86_400_000) fail('"retention.every" must be from 100ms to 1d.');
  return {
    everyMs,
    rules: rules.map(({ gateway = '*', stream = '*', maxAge, maxBytes }, i) => {
      if (maxAge === undefined && maxBytes === undefined && gateway === '*' && stream === '*') {
        fail(`"retention.rules[${i}]" says neither what goes nor whose; give it maxAge, maxBytes or a name.`);
      }
      const [gateways, streams] = [patternOf(gateway), patternOf(stream)];
      return {
        name: `${gateway}/${stream}`,
        matches: (oneGateway, oneStream) => gateways.test(oneGateway) && streams.test(oneStream),
        maxAgeUs: maxAge === undefined ? undefined : 1000 * durationMs(maxAge),
        maxBytes: maxBytes === undefined ? undefined : byteCount(maxBytes),
      };
    }),
  };
}

const patternOf = (text: string): RegExp => new RegExp(`^${text.split('*').join('.*')}$`);

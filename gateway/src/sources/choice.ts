import { Type, type TUnsafe } from '@fleetlog/shared/schema';

/** One of a few words; a pattern gives a clearer complaint than a union of literals. */
export function choice<const Words extends readonly string[]>(
  words: Words,
  description: string,
  unit = words.join(', ').replace(/, ([^,]+)$/, ' or $1'),
): TUnsafe<Words[number]> {
  return Type.Unsafe<Words[number]>(Type.String({ pattern: `^(${words.join('|')})$`, unit, description }));
}

import type { JsonSchema } from './types.js';

/**
 * Of a schema that offers several forms of an object which a key with a fixed value tells apart (`source: file`), the
 * form that the value names; the schema itself where it offers none, or the value names none.
 */
export function formOf(schema: JsonSchema, value: unknown): JsonSchema {
  if (!schema.anyOf || typeof value !== 'object' || value === null) return schema;
  const given = value as Record<string, unknown>;
  return schema.anyOf.find((variant) => names(variant, given)) ?? schema;
}

/** Key and allowed values by which the forms of a union differ; the key is empty where they are plain values. */
export function choicesOf({ anyOf }: JsonSchema): { key: string; values: string[] } | undefined {
  if (!anyOf) return undefined;
  if (anyOf.every((variant) => 'const' in variant)) return { key: '', values: texts(anyOf) };
  const [key] = Object.keys(fixedKeys(anyOf[0]));
  const fixed = anyOf.map((variant) => fixedKeys(variant)[key]);
  return key !== undefined && fixed.every(Boolean) ? { key, values: texts(fixed) } : undefined;
}

const texts = (schemas: JsonSchema[]): string[] => [
  ...new Set(schemas.map((schema) => String(schema.const))),
];

/** The properties of an object schema that allow one value only. */
const fixedKeys = ({ properties = {} }: JsonSchema): Record<string, JsonSchema> =>
  Object.fromEntries(Object.entries(properties).filter(([, property]) => 'const' in property));

function names(variant: JsonSchema, given: Record<string, unknown>): boolean {
  const fixed = Object.entries(fixedKeys(variant));
  return fixed.length > 0 && fixed.every(([key, property]) => given[key] === property.const);
}

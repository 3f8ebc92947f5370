import { Type, type TSchema } from 'typebox';

/**
 * Where a schema offers several forms of an object that a key with a fixed value tells apart (`source: file`), takes
 * the form that the value names, so that complaints are about that form and its defaults are filled in. Keys of a
 * record that its pattern doesn't allow become unknown keys.
 */
export function narrowed(schema: TSchema, value: unknown): TSchema {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return schema;
  const given = value as Record<string, unknown>;
  const { anyOf, patternProperties, properties } = schema as JsonSchema;
  if (anyOf) {
    const form = anyOf.find((variant) => names(variant, given));
    return form ? narrowed(form, value) : schema;
  }
  if (patternProperties) {
    const entries = Object.keys(given).flatMap((key): [string, TSchema][] => {
      const match = Object.entries(patternProperties).find(([pattern]) => new RegExp(pattern).test(key));
      return match ? [[key, narrowed(match[1], given[key])]] : [];
    });
    return Type.Object(Object.fromEntries(entries), { additionalProperties: false });
  }
  if (!properties) return schema;
  const entries = Object.entries(properties).map(([key, property]): [string, TSchema] => [
    key,
    Object.hasOwn(given, key) ? narrowed(property, given[key]) : property,
  ]);
  const { type: _type, properties: _properties, required: _required, ...options } = schema as JsonSchema;
  return Type.Object(Object.fromEntries(entries), options);
}

/** Key and allowed values by which the forms of a union differ; the key is empty where they are plain values. */
export function choicesOf(schema: unknown): { key: string; values: string[] } | undefined {
  const { anyOf } = (schema ?? {}) as JsonSchema;
  if (!anyOf) return undefined;
  if (anyOf.every((variant) => 'const' in variant)) return { key: '', values: texts(anyOf) };
  const [key] = Object.keys(fixedKeys(anyOf[0]));
  const fixed = anyOf.map((variant) => fixedKeys(variant)[key]);
  return key !== undefined && fixed.every(Boolean) ? { key, values: texts(fixed) } : undefined;
}

interface JsonSchema {
  anyOf?: TSchema[];
  patternProperties?: Record<string, TSchema>;
  properties?: Record<string, TSchema>;
  type?: unknown;
  required?: unknown;
  const?: unknown;
}

const texts = (schemas: TSchema[]): string[] => [
  ...new Set(schemas.map((schema) => String((schema as JsonSchema).const))),
];

/** The properties of an object schema that allow one value only. */
const fixedKeys = (schema: TSchema): Record<string, TSchema> =>
  Object.fromEntries(
    Object.entries((schema as JsonSchema).properties ?? {}).filter(([, property]) => 'const' in property),
  );

function names(variant: TSchema, given: Record<string, unknown>): boolean {
  const fixed = Object.entries(fixedKeys(variant));
  return fixed.length > 0 && fixed.every(([key, property]) => given[key] === (property as JsonSchema).const);
}

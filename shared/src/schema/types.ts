import type * as typebox from 'typebox';

export type { Static, TString, TSchema, TUnsafe } from 'typebox';

/** What makes up a schema (JSON Schema, the part of it that we use). */
export interface JsonSchema {
  type?: string;
  const?: unknown;
  anyOf?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  /** Of an object whose keys aren't known: which they may be, and what they hold; no other keys. */
  patternProperties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean;
  /** A list stands for that many items, each with a schema of its own. */
  items?: JsonSchema | JsonSchema[];
  /** False beside such a list: no others. */
  additionalItems?: boolean;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
  format?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  default?: unknown;
  /** Ours: what people would call the value, for complaints: `duration such as 250ms, 5s, 2h`. */
  unit?: string;
}

type Options = Record<string, unknown>;

const optional = '~optional';

/** typebox has this mark too, so that its schemas and ours go together; it isn't JSON Schema, so nobody else sees it. */
const marked = (schema: JsonSchema): JsonSchema =>
  Object.defineProperty({ ...schema }, optional, { value: true });

const array = (items: JsonSchema, options?: Options): JsonSchema => ({ type: 'array', items, ...options });

const object = (properties: Record<string, JsonSchema>, options?: Options): JsonSchema => {
  const required = Object.keys(properties).filter((key) => !(optional in properties[key]));
  return { type: 'object', ...(required.length > 0 && { required }), properties, ...options };
};

const record = (key: JsonSchema, value: JsonSchema, options?: Options): JsonSchema => ({
  type: 'object',
  patternProperties: { [key.pattern ?? '^.*$']: value },
  ...options,
});

const tuple = (items: JsonSchema[], options?: Options): JsonSchema => ({
  type: 'array',
  additionalItems: false,
  items,
  minItems: items.length,
  ...options,
});

/**
 * Builds schemas as typebox's `Type` does and with its types (`Static`), without loading it: it takes 679 files,
 * 0.3 s and 16 MB, which each start of a gateway would pay (decision 0033).
 */
export const Type = {
  Array: array,
  Boolean: (options?: Options): JsonSchema => ({ type: 'boolean', ...options }),
  Integer: (options?: Options): JsonSchema => ({ type: 'integer', ...options }),
  Literal: (value: string | number | boolean, options?: Options): JsonSchema => ({
    type: typeof value,
    const: value,
    ...options,
  }),
  Null: (options?: Options): JsonSchema => ({ type: 'null', ...options }),
  Number: (options?: Options): JsonSchema => ({ type: 'number', ...options }),
  Object: object,
  Optional: marked,
  Record: record,
  String: (options?: Options): JsonSchema => ({ type: 'string', ...options }),
  Tuple: tuple,
  Union: (anyOf: JsonSchema[], options?: Options): JsonSchema => ({ anyOf, ...options }),
  Unsafe: (schema: JsonSchema): JsonSchema => schema,
} as unknown as Pick<typeof typebox.Type, Builder>;

type Builder =
  | 'Array'
  | 'Boolean'
  | 'Integer'
  | 'Literal'
  | 'Null'
  | 'Number'
  | 'Object'
  | 'Optional'
  | 'Record'
  | 'String'
  | 'Tuple'
  | 'Union'
  | 'Unsafe';

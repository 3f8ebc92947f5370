import type { JsonSchema, Static, TSchema } from './types.js';
import { formOf } from './unions.js';

/** What is wrong with a part of a value. */
export interface Flaw {
  kind: 'missing key' | 'unknown key' | 'wrong value';
  /** Keys and places in lists that lead to it, the missing or unknown key included. */
  path: readonly string[];
  /** What it should have been; of an unknown key the object. */
  schema: JsonSchema;
  /** `must be >= 1`; empty where the kind says all. */
  message: string;
}

type Path = readonly string[];

/** What is wrong with a value, in the order of its keys. Constant memory for as many flaws as there may be. */
export function flaws(schema: TSchema, value: unknown): Generator<Flaw> {
  return flawsOf(schema, value, []);
}

/** Whether a value is as its schema says. */
export const fits = <T extends TSchema>(schema: T, value: unknown): value is Static<T> =>
  flaws(schema, value).next().done === true;

/** The value with what is absent filled in, at every depth; the one that was given stays as it is. */
export function withDefaults(schema: TSchema, value: unknown): unknown {
  return filled(schema, value);
}

function* flawsOf(union: JsonSchema, value: unknown, path: Path): Generator<Flaw> {
  const schema = formOf(union, value);
  const message = wrong(schema, value);
  if (message !== undefined) yield { kind: 'wrong value', path, schema, message };
  else if (isObject(value)) yield* flawsOfKeys(schema, value, path);
  else if (Array.isArray(value)) yield* flawsOfItems(schema, value, path);
}

function* flawsOfKeys(schema: JsonSchema, value: Record<string, unknown>, path: Path): Generator<Flaw> {
  for (const key of schema.required ?? []) {
    if (!isGiven(value, key)) yield { kind: 'missing key', path: [...path, key], schema, message: '' };
  }
  const isClosed = schema.additionalProperties === false || schema.patternProperties !== undefined;
  for (const key of Object.keys(value)) {
    if (isClosed && !propertyOf(schema, key))
      yield { kind: 'unknown key', path: [...path, key], schema, message: '' };
  }
  const keys = Object.keys(schema.properties ?? value);
  for (const key of keys) {
    const property = propertyOf(schema, key);
    if (property && isGiven(value, key)) yield* flawsOf(property, value[key], [...path, key]);
  }
}

function* flawsOfItems({ items }: JsonSchema, value: unknown[], path: Path): Generator<Flaw> {
  for (let i = 0; i < value.length; i++) {
    const item = Array.isArray(items) ? items[i] : items;
    if (item) yield* flawsOf(item, value[i], [...path, String(i)]);
  }
}

/** Why the value itself, without its keys and items, isn't what the schema says. */
function wrong(schema: JsonSchema, value: unknown): string | undefined {
  const { anyOf, type } = schema;
  if (anyOf) {
    const isOneOfThem = anyOf.some((variant) => flawsOf(variant, value, []).next().done);
    return isOneOfThem ? undefined : 'must match a schema in anyOf';
  }
  if (type !== undefined && !isOfType(type, value)) return `must be ${type}`;
  if ('const' in schema && value !== schema.const) return 'must be equal to constant';
  if (typeof value === 'string') return wrongText(schema, value);
  if (typeof value === 'number') return wrongNumber(schema, value);
  return Array.isArray(value) ? wrongCount(schema, value.length) : undefined;
}

function wrongText({ pattern, format, minLength, maxLength }: JsonSchema, text: string): string | undefined {
  const characters = Array.from(text).length;
  if (minLength !== undefined && characters < minLength)
    return `must not have fewer than ${minLength} characters`;
  if (maxLength !== undefined && characters > maxLength)
    return `must not have more than ${maxLength} characters`;
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(text)) return `must match pattern "${pattern}"`;
  if (format === 'uri' && !URL.canParse(text)) return 'must match format "uri"';
  return undefined;
}

function wrongNumber({ minimum, maximum, exclusiveMinimum }: JsonSchema, value: number): string | undefined {
  if (minimum !== undefined && value < minimum) return `must be >= ${minimum}`;
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum) return `must be > ${exclusiveMinimum}`;
  if (maximum !== undefined && value > maximum) return `must be <= ${maximum}`;
  return undefined;
}

function wrongCount(schema: JsonSchema, count: number): string | undefined {
  const { items, additionalItems, minItems, maxItems } = schema;
  const most = Array.isArray(items) && additionalItems === false ? items.length : maxItems;
  if (minItems !== undefined && count < minItems) return `must not have fewer than ${minItems} items`;
  if (most !== undefined && count > most) return `must not have more than ${most} items`;
  return undefined;
}

function filled(union: JsonSchema, given: unknown): unknown {
  const value = given === undefined ? union.default : given;
  const schema = formOf(union, value);
  if (isObject(value)) {
    const keys = new Set([...Object.keys(value), ...Object.keys(schema.properties ?? {})]);
    const entries = [...keys].map((key): [string, unknown] => {
      const own = isGiven(value, key) ? value[key] : undefined;
      const property = propertyOf(schema, key);
      return [key, property ? filled(property, own) : structuredClone(own)];
    });
    return Object.fromEntries(entries.filter(([, entry]) => entry !== undefined));
  }
  if (!Array.isArray(value)) return value;
  const { items } = schema;
  return value.map((item, i) => filled((Array.isArray(items) ? items[i] : items) ?? {}, item));
}

/** The schema of a key; undefined where the object's schema doesn't know it. */
function propertyOf(
  { properties = {}, patternProperties = {} }: JsonSchema,
  key: string,
): JsonSchema | undefined {
  if (Object.hasOwn(properties, key)) return properties[key];
  return Object.entries(patternProperties).find(([pattern]) => new RegExp(pattern, 'u').test(key))?.[1];
}

const isGiven = (value: Record<string, unknown>, key: string): boolean =>
  Object.hasOwn(value, key) && value[key] !== undefined;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isOfType(type: string, value: unknown): boolean {
  switch (type) {
    case 'object':
      return isObject(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return Number.isFinite(value);
    case 'null':
      return value === null;
    default:
      return typeof value === type;
  }
}

import { readFileSync } from 'node:fs';
import { Value } from 'typebox/value';
import type { Static, TSchema } from 'typebox';
import { parseDocument } from 'yaml';
import { FleetlogError, systemCode } from '../errors/index.js';
import { choicesOf, narrowed } from './unions.js';

/** Reads a YAML file into plain values. Errors: FLEETLOG_CONFIG with file, line and what is wrong. */
export function readYaml(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const why =
      systemCode(cause) === 'ENOENT' ? "doesn't exist" : `can't be read (${systemCode(cause) ?? 'error'})`;
    throw new FleetlogError('FLEETLOG_CONFIG', `The configuration ${path} ${why}.`, { cause });
  }
  const document = parseDocument(text, { prettyErrors: true });
  const [error] = document.errors;
  if (error) {
    throw new FleetlogError('FLEETLOG_CONFIG', `${path} isn't YAML: ${error.message.split('\n')[0]}`);
  }
  return document.toJS() as unknown;
}

/**
 * Checks a configuration against its schema and fills the defaults in. Unknown keys, missing keys, wrong units and
 * impossible ranges are refused, each with the path of its key. Errors: FLEETLOG_CONFIG.
 */
export function checkConfig<T extends TSchema>(schema: T, value: unknown, source: string): Static<T> {
  const form = narrowed(schema, value ?? {});
  const filled = Value.Default(form, Value.Clone(value ?? {}));
  const complaints: string[] = [];
  for (const error of Value.Errors(form, filled)) {
    const text = complaint(form, error as unknown as ValidationError);
    if (text && !complaints.includes(text)) complaints.push(text);
    if (complaints.length === 8) break;
  }
  if (complaints.length > 0) {
    throw new FleetlogError('FLEETLOG_CONFIG', `${source}: ${complaints.join('; ')}.`);
  }
  return filled as Static<T>;
}

interface ValidationError {
  keyword: string;
  instancePath: string;
  schemaPath: string;
  message: string;
  params: Record<string, unknown>;
}

function complaint(schema: TSchema, error: ValidationError): string | undefined {
  const path = keyPath(error.instancePath);
  const { params } = error;
  if (error.schemaPath.includes('/anyOf/')) return undefined; // one form of several; the union itself complains too
  switch (error.keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const keys = (params['additionalProperties'] ?? params['unevaluatedProperties'] ?? []) as string[];
      return keys.map((key) => `unknown key "${path ? `${path}.` : ''}${key}"`).join('; ');
    }
    case 'required': {
      const keys = params['requiredProperties'] as string[];
      return keys.map((key) => `missing key "${path ? `${path}.` : ''}${key}"`).join('; ');
    }
    case 'boolean':
      return undefined; // the twin of additionalProperties
    default:
      return wrongValue(schemaAt(schema, error.schemaPath), path, error.message);
  }
}

function wrongValue(schema: unknown, path: string, message: string): string {
  const key = path || 'the whole';
  const { unit } = schema as { unit?: string };
  if (unit) return `"${key}" must be a ${unit}`;
  const choices = choicesOf(schema);
  if (!choices) return `"${key}" ${message}`;
  const { values } = choices;
  const choice = [path, choices.key].filter(Boolean).join('.');
  return `"${choice}" must be ${values.length > 1 ? 'one of ' : ''}${values.join(', ')}`;
}

const keyPath = (pointer: string): string =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.');

/** The schema that an error points into. */
function schemaAt(schema: TSchema, schemaPath: string): unknown {
  let at: unknown = schema;
  for (const part of schemaPath.replace(/^#?\/?/, '').split('/')) {
    const next = (at as Record<string, unknown>)[part];
    if (typeof next !== 'object' || next === null || Array.isArray(next)) break;
    at = next;
  }
  return at;
}

import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { FleetlogError, systemCode } from '../errors/index.js';
import { choicesOf, flaws, withDefaults, type Flaw, type Static, type TSchema } from '../schema/index.js';

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
  const filled = withDefaults(schema, value ?? {});
  const complaints = new Set<string>();
  for (const flaw of flaws(schema, filled)) {
    complaints.add(complaint(flaw));
    if (complaints.size === complaintsMax) break;
  }
  if (complaints.size > 0) {
    throw new FleetlogError('FLEETLOG_CONFIG', `${source}: ${[...complaints].join('; ')}.`);
  }
  return filled as Static<T>;
}

const complaintsMax = 8;

function complaint({ kind, path, schema, message }: Flaw): string {
  const key = path.join('.');
  if (kind !== 'wrong value') return `${kind} "${key}"`;
  if (schema.unit) return `"${key}" must be a ${schema.unit}`;
  const choices = choicesOf(schema);
  if (!choices) return `"${key || 'the whole'}" ${message}`;
  const { values } = choices;
  const choice = [...path, choices.key].filter(Boolean).join('.');
  return `"${choice}" must be ${values.length > 1 ? 'one of ' : ''}${values.join(', ')}`;
}

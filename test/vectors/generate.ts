import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { contentOf } from './content.js';
import { makeVectors } from './vectors.js';

/*
 * Writes golden vectors into the folder that is named on the command line:
 *
 *   node test/dist/vectors/generate.js test/vectors [NAME…]
 *
 * Vectors pin what readers must understand: they are added to, and written anew only where the format, which no one
 * uses yet, changes.
 */
const [folder, ...names] = process.argv.slice(2);
for (const { name, description, bytes, error } of makeVectors()) {
  if (names.length > 0 && !names.includes(name)) continue;
  const expected = error === undefined ? { description, ...contentOf(bytes) } : { description, error };
  writeFileSync(join(folder, `${name}.cbor`), bytes);
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(expected, undefined, 1)}\n`);
}

export { Catalogue } from './catalogue.js';
export type { LoadedDatabase, Validity } from './types.js';

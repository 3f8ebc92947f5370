export { Catalogue } from './catalogue.js';
export type { Assignment, LoadedDatabase, Validity } from './types.js';

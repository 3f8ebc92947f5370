export { encodeCan } from './encode.js';
export { decodeCan } from './decode.js';

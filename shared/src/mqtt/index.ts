export { fillLengthCache } from './length-cache.js';

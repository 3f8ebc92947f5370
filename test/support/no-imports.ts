import type { ImportDesk } from '#cloud/import/desk.js';

/** Of a cloud that only reads. */
export const noImports: Pick<ImportDesk, 'take'> = {
  take: () => Promise.reject(new Error('nothing is imported here')),
};

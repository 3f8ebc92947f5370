/*
 * What was rescued from an earlier life of the buffer goes up under its old identity. In the buffer each such stream
 * is a stream of its own, named `stream@epoch`: a name that no user's stream can have.
 */

export const rescuedName = (stream: string, epoch: string): string => `${stream}@${epoch}`;

export const isRescuedName = (name: string): boolean => name.includes('@');

/** The stream's name as the cloud knows it. */
export const originalName = (name: string): string => name.split('@', 1)[0];

/** The epoch of a rescued stream; undefined for a stream of this life. */
export const rescuedEpoch = (name: string): string | undefined => name.split('@')[1];

/** Words that a SocketCAN source and its thread share. */
export const STOP = 0;
/** Batches that are on their way from the thread to the buffer. */
export const WAITING = 1;
export const WORDS = 2;

/** More than this, and the thread waits. */
export const BATCHES_WAITING_MAX = 32;

/** How much the buffer may take of the disk. */
export interface SpaceLimits {
  /** Files of the buffer together, bytes. */
  bytes: number;
  /** Free space of the file system that the buffer leaves to others, bytes. */
  freeBytesMin: number;
  /** A file that is only there to be deleted when the disk is full, so that the buffer can make room. */
  ballastBytes: number;
}

/** What a stream is worth when there isn't room for all. */
export interface StreamPolicy {
  /** 0 to 9; the lowest goes first. */
  priority: number;
  /** A source that can go back waits for room; any other drops the oldest, its own or what is worth less. */
  whenFull: 'wait' | 'drop';
  /** Batches stored longer ago than this are given up; undefined: never. */
  maxAgeMs: number | undefined;
  /** Batches are thinned to each n-th record per identifier before any is given up; undefined: they aren't. */
  keepEachNth?: number | undefined;
}

/** Of a stream that the buffer holds and the configuration doesn't name. */
export const forgottenStreamPolicy: StreamPolicy = { priority: -1, whenFull: 'drop', maxAgeMs: undefined };

/** Of what the gateway says of itself. */
export const eventsPolicy: StreamPolicy = { priority: Infinity, whenFull: 'drop', maxAgeMs: undefined };

/** Levels of bytes held, from a limit of bytes on disk. */
export interface SpaceLevels {
  /** Streams that can wait do so from here on: the rest is for those that can't. */
  wait: number;
  /** The most that is held: above it the oldest is given up. */
  drop: number;
  /** What is given up at one time. */
  chunk: number;
  /** Files together from which space is reclaimed. */
  reclaim: number;
  /** Files together from which what is put waits for that. */
  files: number;
}

/**
 * Files that are there however little is held: RocksDB sets 4 MiB aside for its manifest, and its info log has two
 * parts. Giving up batches doesn't make these smaller.
 */
const ownFilesBytes = 5 * 1024 * 1024;

/** What a batch takes beside its own bytes: key, totals, place in the table. */
export const batchOverheadBytes = 100;

/**
 * The files hold more than what is held: the write-ahead log (up to two write buffers), batches that were removed and
 * not yet reclaimed (a tenth), and, while that is done, a part of the batches twice. Below 50 MiB the database's own
 * files don't fit into what is left over, and come on top of the limit.
 */
export function spaceLevels(limitBytes: number, writeBufferBytes: number): SpaceLevels {
  const drop = Math.floor(limitBytes * 0.75) - 2 * writeBufferBytes;
  const reclaim = Math.floor(Math.max(limitBytes * 0.85, drop + 2 * writeBufferBytes + ownFilesBytes));
  return {
    wait: Math.floor(drop * 0.9),
    drop,
    chunk: Math.max(1, Math.floor(drop / 50)),
    reclaim,
    files: Math.max(limitBytes, Math.floor(reclaim / 0.85)),
  };
}

/** Write buffers in the least limit that leaves room for anything. */
export const writeBuffersInLimitMin = 8;

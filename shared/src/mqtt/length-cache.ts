import packets from 'mqtt-packet';

/** Lengths below this one mqtt-packet keeps in their encoded form, for ever. */
const cachedLengths = 16_384;
/** Fixed parts of a publication of quality 0 with a topic of one letter: the length of the topic, and the topic. */
const headBytes = 3;
let isFilled = false;

/**
 * Has mqtt-packet encode all the lengths that it keeps, one after the other. It keeps each that it meets in a slice of
 * a buffer that Node shares among whoever asks at that time, 64 KiB: met one by one, on a busy connection, each new
 * length holds such a buffer, up to 1 GB together. Filled at once they share a few.
 *
 * Call it before the first connection; a second call does nothing. The cache belongs to the module, so this does, too.
 */
export function fillLengthCache(): void {
  if (isFilled) return;
  isFilled = true;
  const payload = Buffer.alloc(cachedLengths);
  // Without `cork`, which would put off something for each of them.
  const nowhere = { write: () => true, destroy() {} };
  // Else the first packet makes another cache, of 65,536 numbers and 7 MB, that who connects may not want.
  const writer = packets.writeToStream as typeof packets.writeToStream & { cacheNumbers: boolean };
  const { cacheNumbers } = writer;
  writer.cacheNumbers = false;
  for (let length = headBytes; length < cachedLengths; length++) {
    const facts = { qos: 0, dup: false, retain: false, topic: 'a' } as const;
    writer(
      { cmd: 'publish', ...facts, payload: payload.subarray(0, length - headBytes) },
      nowhere as unknown as NodeJS.WritableStream,
    );
  }
  writer.cacheNumbers = cacheNumbers;
}

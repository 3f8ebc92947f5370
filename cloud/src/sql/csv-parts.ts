import { open } from 'node:fs/promises';

/**
 * Writes a text with a head line into one file after the other, each with the head line and of about `partBytes`, and
 * yields each part's number of bytes when it is whole. All have the same path: a part is gone with the next.
 */
export async function* csvParts(
  chunks: AsyncIterable<Uint8Array>,
  path: string,
  partBytes: number,
): AsyncGenerator<number> {
  let head: Uint8Array | undefined;
  let rest = new Uint8Array(0);
  let file = await open(path, 'w');
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      const text = Buffer.concat([rest, chunk]);
      const end = text.lastIndexOf(0x0a) + 1;
      rest = text.subarray(end);
      if (end === 0) continue;
      head ??= text.subarray(0, text.indexOf(0x0a) + 1);
      await file.writeFile(text.subarray(0, end));
      bytes += end;
      if (bytes < partBytes) continue;
      await file.close();
      yield bytes;
      file = await open(path, 'w');
      await file.writeFile(head);
      bytes = 0;
    }
  } finally {
    await file.close();
  }
  if (bytes > 0) yield bytes;
}

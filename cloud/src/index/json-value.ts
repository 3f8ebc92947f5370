/** Values that are few and small are stored as JSON. */
export const encodeJson = (value: object): Uint8Array => Buffer.from(JSON.stringify(value));

export const decodeJson = <T>(bytes: Uint8Array): T =>
  JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()) as T;

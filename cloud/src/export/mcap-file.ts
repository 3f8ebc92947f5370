import { zstdCompressSync } from 'node:zlib';
import { McapWriter } from '@mcap/core';

const nothing = new Uint8Array(0);

export interface McapChannel {
  topic: string;
  /** Name of the message's schema. */
  schema: string;
  /** JSON Schema of the messages. */
  properties: object;
  metadata: Readonly<Record<string, string>>;
}

/**
 * An MCAP file in pieces, with JSON messages: zstd-compressed chunks with an index of their messages, and at the end a
 * summary, so that a viewer opens it at once. What stays in memory are one chunk and the places of the others.
 */
export class McapFile {
  private parts: Uint8Array[] = [];
  private bytes = 0;
  private readonly writer = new McapWriter({
    writable: {
      write: async (buffer: Uint8Array) => {
        this.parts.push(Buffer.from(buffer)); // the writer uses it again
        this.bytes += buffer.length;
      },
      position: () => BigInt(this.bytes),
    },
    compressChunk: (chunk) => ({ compression: 'zstd', compressedData: zstdCompressSync(chunk) }),
  });
  private isStarted = false;
  private readonly schemas = new Map<string, number>();
  private readonly text = new TextEncoder();

  async start(): Promise<void> {
    if (this.isStarted) return;
    this.isStarted = true;
    await this.writer.start({ profile: '', library: 'fleetlog' });
  }

  /** Schemas of one name are one schema, if they are the same. */
  async addChannel({ topic, schema, properties, metadata }: McapChannel): Promise<number> {
    const text = JSON.stringify({ type: 'object', title: schema, ...properties });
    const key = `${schema} ${text}`;
    let schemaId = this.schemas.get(key);
    if (schemaId === undefined) {
      const data = this.text.encode(text);
      schemaId = await this.writer.registerSchema({ name: schema, encoding: 'jsonschema', data });
      this.schemas.set(key, schemaId);
    }
    return this.writer.registerChannel({
      topic,
      schemaId,
      messageEncoding: 'json',
      metadata: new Map(Object.entries(metadata)),
    });
  }

  async add(channelId: number, sequence: number, timeUs: number, json: string): Promise<void> {
    const logTime = BigInt(timeUs) * 1000n;
    const data = this.text.encode(json);
    await this.writer.addMessage({ channelId, sequence, logTime, publishTime: logTime, data });
  }

  async end(): Promise<void> {
    await this.start();
    await this.writer.end();
  }

  /** What was written since the last call; it belongs to the caller. */
  take(): Uint8Array {
    if (this.parts.length === 0) return nothing;
    const taken = this.parts.length === 1 ? this.parts[0] : Buffer.concat(this.parts);
    this.parts = [];
    return taken;
  }
}

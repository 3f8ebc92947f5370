import { crc32, zstdCompressSync } from 'node:zlib';
import { GrowingBytes } from './growing-bytes.js';

const nothing = new Uint8Array(0);
const magic = Buffer.from('894D434150300D0A', 'hex');
const compression = 'zstd';
/** Uncompressed; what a reader has to unpack for one message. */
const chunkBytesMax = 1024 * 1024;

/** Opcodes of the MCAP specification, "Records". */
const op = {
  header: 0x01,
  footer: 0x02,
  schema: 0x03,
  channel: 0x04,
  message: 0x05,
  chunk: 0x06,
  messageIndex: 0x07,
  chunkIndex: 0x08,
  statistics: 0x0b,
  summaryOffset: 0x0e,
  dataEnd: 0x0f,
} as const;

export interface McapChannel {
  topic: string;
  /** Name of the message's schema. */
  schema: string;
  /** JSON Schema of the messages. */
  properties: object;
  metadata: Readonly<Record<string, string>>;
}

/** A channel of the file. */
interface OpenChannel {
  messages: number;
  /** Times and places of its messages in the chunk that is being filled. */
  index: GrowingBytes;
}

/**
 * An MCAP file in pieces, with JSON messages: zstd-compressed chunks of 1 MiB with an index of their messages, and at the
 * end a summary, so that a viewer opens it at once. What stays in memory are one chunk, the channels, and of each chunk
 * the place that the summary tells: some 150 bytes a MiB.
 */
export class McapFile {
  private readonly out = new GrowingBytes(chunkBytesMax / 2);
  /** Bytes that were taken. */
  private taken = 0;
  private readonly chunk = new GrowingBytes(chunkBytesMax + 64 * 1024);
  private chunkMessages = 0;
  private chunkFirstUs = Infinity;
  private chunkLastUs = -Infinity;
  private firstUs = Infinity;
  private lastUs = -Infinity;
  private readonly schemas = new Map<string, number>();
  private readonly channels: OpenChannel[] = [];
  /** The records that the summary repeats, and those that lead to the chunks. */
  private readonly summary = {
    schema: new GrowingBytes(),
    channel: new GrowingBytes(),
    chunkIndex: new GrowingBytes(),
  };
  private chunks = 0;

  constructor() {
    this.out.bytes(magic);
    const header = begin(this.out, op.header);
    string(this.out, ''); // profile
    string(this.out, 'fleetlog');
    finish(this.out, header);
  }

  /** Its number. Schemas of one name are one schema, if they are the same. */
  addChannel({ topic, schema, properties, metadata }: McapChannel): number {
    const text = JSON.stringify({ type: 'object', title: schema, ...properties });
    const schemaId = this.schemaOf(schema, text);
    const id = this.channels.length;
    this.channels.push({ messages: 0, index: new GrowingBytes() });
    this.inChunkAndSummary('channel', (to) => {
      to.u16(id);
      to.u16(schemaId);
      string(to, topic);
      string(to, 'json');
      const sized = beginSized(to);
      for (const [key, value] of Object.entries(metadata)) {
        string(to, key);
        string(to, value);
      }
      finishSized(to, sized);
    });
    return id;
  }

  /** Numbers the messages of a channel from 0. */
  add(channelId: number, timeUs: number, json: string): void {
    const { chunk } = this;
    const channel = this.channels[channelId];
    channel.index.nanoseconds(timeUs);
    channel.index.u64(chunk.length);
    const message = begin(chunk, op.message);
    chunk.u16(channelId);
    chunk.u32(channel.messages++);
    chunk.nanoseconds(timeUs); // logged
    chunk.nanoseconds(timeUs); // published
    chunk.utf8(json);
    finish(chunk, message);
    this.chunkMessages++;
    if (timeUs < this.chunkFirstUs) this.chunkFirstUs = timeUs;
    if (timeUs > this.chunkLastUs) this.chunkLastUs = timeUs;
    if (chunk.length >= chunkBytesMax) this.endChunk();
  }

  end(): void {
    const { out } = this;
    if (this.chunk.length > 0) this.endChunk();
    const dataEnd = begin(out, op.dataEnd);
    out.u32(0); // no checksum: each chunk has its own
    finish(out, dataEnd);
    const start = out.length;
    const offsets = new GrowingBytes();
    for (const part of ['schema', 'channel', 'statistics', 'chunkIndex'] as const) {
      const from = out.length;
      if (part === 'statistics') this.statistics();
      else out.bytes(this.summary[part].written);
      if (out.length === from) continue;
      const offset = begin(offsets, op.summaryOffset);
      offsets.u8(op[part]);
      offsets.u64(this.taken + from);
      offsets.u64(out.length - from);
      finish(offsets, offset);
    }
    const offsetsAt = this.taken + out.length;
    out.bytes(offsets.written);
    const footer = begin(out, op.footer);
    out.u64(this.taken + start);
    out.u64(offsetsAt);
    setLength(out, footer, 4); // counts in the checksum, which is still to come
    out.u32(crc32(out.written.subarray(start)));
    out.bytes(magic);
  }

  /** What was written since the last call; it belongs to the caller. */
  take(): Uint8Array {
    if (this.out.length === 0) return nothing;
    const taken = Uint8Array.from(this.out.written);
    this.taken += taken.length;
    this.out.clear();
    return taken;
  }

  private schemaOf(name: string, text: string): number {
    const key = `${name} ${text}`;
    const known = this.schemas.get(key);
    if (known !== undefined) return known;
    const id = this.schemas.size + 1; // 0 is no schema
    this.schemas.set(key, id);
    this.inChunkAndSummary('schema', (to) => {
      to.u16(id);
      string(to, name);
      string(to, 'jsonschema');
      string(to, text);
    });
    return id;
  }

  private inChunkAndSummary(kind: 'schema' | 'channel', write: (to: GrowingBytes) => void): void {
    for (const to of [this.chunk, this.summary[kind]]) {
      const record = begin(to, op[kind]);
      write(to);
      finish(to, record);
    }
  }

  private endChunk(): void {
    const { out, chunk } = this;
    const packed = zstdCompressSync(chunk.written);
    const startAt = out.length;
    const record = begin(out, op.chunk);
    this.times();
    out.u64(chunk.length);
    out.u32(crc32(chunk.written));
    string(out, compression);
    out.u64(packed.length);
    out.bytes(packed);
    finish(out, record);
    this.addChunkIndex(this.taken + startAt, out.length - startAt, packed.length);
    this.firstUs = Math.min(this.firstUs, this.chunkFirstUs);
    this.lastUs = Math.max(this.lastUs, this.chunkLastUs);
    this.chunks++;
    this.chunkMessages = 0;
    this.chunkFirstUs = Infinity;
    this.chunkLastUs = -Infinity;
    chunk.clear();
  }

  /** Writes the indexes of the chunk's messages, by channel, and notes where they are. */
  private addChunkIndex(startAt: number, chunkBytes: number, packedBytes: number): void {
    const { out } = this;
    const to = this.summary.chunkIndex;
    const record = begin(to, op.chunkIndex);
    this.times(to);
    to.u64(startAt);
    to.u64(chunkBytes);
    const sized = beginSized(to);
    const indexesAt = out.length;
    for (const [id, { index }] of this.channels.entries()) {
      if (index.length === 0) continue;
      to.u16(id);
      to.u64(this.taken + out.length);
      const own = begin(out, op.messageIndex);
      out.u16(id);
      out.u32(index.length);
      out.bytes(index.written);
      finish(out, own);
      index.clear();
    }
    finishSized(to, sized);
    to.u64(out.length - indexesAt);
    string(to, compression);
    to.u64(packedBytes);
    to.u64(this.chunk.length);
    finish(to, record);
  }

  /** Of the chunk; 0 where it holds nothing but channels. */
  private times(to = this.out): void {
    to.nanoseconds(this.chunkMessages > 0 ? this.chunkFirstUs : 0);
    to.nanoseconds(this.chunkMessages > 0 ? this.chunkLastUs : 0);
  }

  private statistics(): void {
    const { out, channels } = this;
    const messages = channels.reduce((sum, channel) => sum + channel.messages, 0);
    const record = begin(out, op.statistics);
    out.u64(messages);
    out.u16(this.schemas.size);
    out.u32(channels.length);
    out.u32(0); // attachments
    out.u32(0); // metadata
    out.u32(this.chunks);
    out.nanoseconds(messages > 0 ? this.firstUs : 0);
    out.nanoseconds(messages > 0 ? this.lastUs : 0);
    const sized = beginSized(out);
    for (const [id, channel] of channels.entries()) {
      out.u16(id);
      out.u64(channel.messages);
    }
    finishSized(out, sized);
    finish(out, record);
  }
}

/*
 * A record is its opcode, the length of its content (64 bits), and that; a string or a map its length (32 bits), and that.
 */

function begin(to: GrowingBytes, opcode: number): number {
  to.u8(opcode);
  to.u64(0);
  return to.length;
}

function finish(to: GrowingBytes, contentAt: number): void {
  setLength(to, contentAt, 0);
}

function setLength(to: GrowingBytes, contentAt: number, toCome: number): void {
  to.setU64(contentAt - 8, to.length + toCome - contentAt);
}

function beginSized(to: GrowingBytes): number {
  to.u32(0);
  return to.length;
}

function finishSized(to: GrowingBytes, contentAt: number): void {
  to.setU32(contentAt - 4, to.length - contentAt);
}

function string(to: GrowingBytes, text: string): void {
  const sized = beginSized(to);
  to.utf8(text);
  finishSized(to, sized);
}

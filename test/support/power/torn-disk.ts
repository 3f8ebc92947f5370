// A disk for the power-cut test, as a process of its own: serves the file argv[3] over NBD on the Unix socket argv[2],
// and keeps what is written in memory until the kernel asks for a flush. At SIGUSR2 the power goes: of each sector that
// wasn't flushed, chance (seed argv[4]) says whether it reached the disk. So writes are torn, and come in any order.
//
// https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md, fixed newstyle, simple replies. One connection.
import { fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { Prng } from '#sim/vehicle/prng.js';

const sectorBytes = 512;
const keptShare = 0.5;

const serverMagic = 'NBDMAGICIHAVEOPT';
const optionReplyMagic = 0x3e889045565a9n;
const replyMagic = 0x67446698;
const option = { exportName: 1, info: 6, go: 7 };
const optionReply = { ack: 1, info: 3, unsupported: 0x80000001 };
const fixedNewstyleNoZeroes = 3;
const hasFlagsSendsFlush = 1 | 4;
const command = { read: 0, write: 1, disconnect: 2, flush: 3 };
const invalidArgument = 22;

const [, , socketPath, imagePath, seed] = process.argv;
const image = openSync(imagePath, 'r+');
const imageBytes = fstatSync(image).size;
/** By sector number, what was written and not flushed. */
const cache = new Map<number, Buffer>();

function read(offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  readSync(image, bytes, 0, length, offset);
  for (let at = 0; at < length; at += sectorBytes) {
    cache.get((offset + at) / sectorBytes)?.copy(bytes, at);
  }
  return bytes;
}

function write(offset: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; at += sectorBytes) {
    cache.set((offset + at) / sectorBytes, Buffer.from(bytes.subarray(at, at + sectorBytes)));
  }
}

function flush(): void {
  for (const [sector, bytes] of cache) writeSync(image, bytes, 0, sectorBytes, sector * sectorBytes);
  cache.clear();
}

function losePower(): never {
  const prng = new Prng(Number(seed));
  for (const sector of cache.keys()) if (prng.unit() >= keptShare) cache.delete(sector);
  flush();
  process.exit(0);
}

/** Gives what comes from the client in pieces of the lengths that are asked for. */
class Requests {
  private readonly chunks: AsyncIterator<Buffer>;
  private waiting: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  async take(length: number): Promise<Buffer> {
    while (this.waiting.length < length) {
      const { done, value } = await this.chunks.next();
      if (done) throw new Error('the client is gone');
      this.waiting = this.waiting.length === 0 ? value : Buffer.concat([this.waiting, value]);
    }
    const taken = this.waiting.subarray(0, length);
    this.waiting = this.waiting.subarray(length);
    return taken;
  }
}

/** Size and flags of the only disk. */
function exportFacts(): Buffer {
  const facts = Buffer.alloc(10);
  facts.writeBigUInt64BE(BigInt(imageBytes), 0);
  facts.writeUInt16BE(hasFlagsSendsFlush, 8);
  return facts;
}

/** Resolves when the client wants to read and write. */
async function negotiate(socket: Socket, requests: Requests): Promise<void> {
  socket.write(Buffer.concat([Buffer.from(serverMagic, 'latin1'), Buffer.from([0, fixedNewstyleNoZeroes])]));
  await requests.take(4);
  for (;;) {
    const head = await requests.take(16);
    const kind = head.readUInt32BE(8);
    await requests.take(head.readUInt32BE(12));
    const answer = (type: number, data = Buffer.alloc(0)): void => {
      const reply = Buffer.alloc(20);
      reply.writeBigUInt64BE(optionReplyMagic, 0);
      reply.writeUInt32BE(kind, 8);
      reply.writeUInt32BE(type, 12);
      reply.writeUInt32BE(data.length, 16);
      socket.write(Buffer.concat([reply, data]));
    };
    if (kind === option.exportName) {
      socket.write(exportFacts());
      return;
    }
    if (kind === option.info || kind === option.go) {
      answer(optionReply.info, Buffer.concat([Buffer.from([0, 0]), exportFacts()]));
      answer(optionReply.ack);
      if (kind === option.go) return;
    } else {
      answer(optionReply.unsupported);
    }
  }
}

async function serve(socket: Socket): Promise<void> {
  const requests = new Requests(socket);
  await negotiate(socket, requests);
  for (;;) {
    const request = await requests.take(28);
    const kind = request.readUInt16BE(6);
    const offset = Number(request.readBigUInt64BE(16));
    const length = request.readUInt32BE(24);
    const reply = Buffer.alloc(16);
    reply.writeUInt32BE(replyMagic, 0);
    request.copy(reply, 8, 8, 16);
    let data: Buffer = Buffer.alloc(0);
    const isWhole = offset % sectorBytes === 0 && length % sectorBytes === 0;
    if (kind === command.disconnect) return;
    else if (kind === command.write) {
      const bytes = await requests.take(length);
      if (isWhole) write(offset, bytes);
      else reply.writeUInt32BE(invalidArgument, 4);
    } else if (kind === command.flush) flush();
    else if (kind === command.read && isWhole) data = read(offset, length);
    else reply.writeUInt32BE(invalidArgument, 4);
    socket.write(reply);
    if (data.length > 0) socket.write(data);
  }
}

process.on('SIGUSR2', losePower);
createServer((socket) => {
  socket.on('error', () => undefined);
  serve(socket).catch(() => undefined); // the client is gone
}).listen(socketPath);

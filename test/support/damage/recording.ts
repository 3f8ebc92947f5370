import { createHash } from 'node:crypto';
import type { Recording } from '../chaos/recordings.js';

/** 1 kHz of one identifier, each frame another. */
export function distinctFrames(frameCount: number): Recording {
  const lines: string[] = [];
  for (let i = 0; i < frameCount; i++) {
    const data = createHash('md5').update(String(i)).digest('hex').toUpperCase().slice(0, 16);
    const seconds = String(Math.floor(i / 1000)).padStart(3, '0');
    lines.push(`(1700000${seconds}.${String(i % 1000).padStart(3, '0')}000) can0 123#${data}`);
  }
  const bytes = Buffer.from(`${lines.join('\n')}\n`);
  return { name: 'damage', format: 'candump', bytes, seconds: frameCount / 1000 };
}

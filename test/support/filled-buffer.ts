import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import type { GatewayBuffer } from '#gateway/buffer/buffer.js';
import { checkGatewayConfig } from '#gateway/config.js';
import { openGatewayBuffer } from '#gateway/main.js';
import { sealedBatch } from './sealed-batches.js';

/** For `MeasuredGateway`, and whoever fills its buffer before: enough room for ten gigabytes, whatever the disk. */
export const roomyBuffer = { limit: '20GB', minFree: '1MB' };
/** Nobody listens there. */
export const nowhere = { url: 'mqtt://127.0.0.1:1' };

/** The buffer that a `MeasuredGateway` in this folder will find, `data` below it. */
export async function measuredBuffer(folder: string): Promise<GatewayBuffer> {
  const data = join(folder, 'data');
  await mkdir(data, { recursive: true });
  const config = { gateway: 'measured', data, uplink: nowhere, buffer: roomyBuffer, streams: {} };
  return openGatewayBuffer(checkGatewayConfig(config, 'bench'), systemClock, silentLogger);
}

/** Fills it with so many bytes of batches that don't compress; returns how many batches. */
export async function fillMeasuredBuffer(folder: string, bytes: number, batchBytes: number): Promise<number> {
  await using buffer = await measuredBuffer(folder);
  const batch = sealedBatch('x', { bytes: batchBytes });
  const batches = Math.ceil(bytes / batchBytes);
  for (let i = 0; i < batches; i++) {
    await buffer.put('can0', { ...batch, payload: { ...batch.payload, payload: randomBytes(batchBytes) } });
  }
  return batches;
}

import { connect } from 'node:net';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import { responseBytesMax, type ControlRequest } from './protocol.js';

const answerMsMax = 5000;

/** Asks the gateway that listens at `path`; undefined where none does. Errors: FLEETLOG_UNREACHABLE. */
export async function askGateway(path: string, request: ControlRequest): Promise<unknown> {
  let text: string;
  try {
    text = await exchange(path, `${JSON.stringify({ request })}\n`);
  } catch (cause) {
    const code = systemCode(cause);
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined;
    throw new FleetlogError('FLEETLOG_UNREACHABLE', "The running gateway doesn't answer; try again.", {
      cause,
    });
  }
  const response = JSON.parse(text) as { result?: unknown; error?: string };
  if (response.error !== undefined) throw new FleetlogError('FLEETLOG_UNREACHABLE', response.error);
  return response.result;
}

function exchange(path: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path, () => socket.write(request));
    socket.setEncoding('utf8');
    socket.setTimeout(answerMsMax, () => socket.destroy(new Error('no answer in time')));
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > responseBytesMax) socket.destroy(new Error('the answer is too long'));
    });
    socket.on('error', reject);
    socket.on('close', () => {
      if (text.endsWith('\n')) resolve(text);
      else reject(new Error('the answer broke off'));
    });
  });
}

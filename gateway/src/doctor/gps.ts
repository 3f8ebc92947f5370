import { isFleetlogError } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import type { HostPort } from '../host-port.js';
import { openGpsd } from '../sources/gpsd/gpsd.js';
import { Findings, type Finding } from './finding.js';

const LISTEN_MS = 2500;

/** Whether gpsd is there, which receivers it has, and whether they have a fix. */
export async function checkGpsd(
  address: HostPort,
  /** Whether the configuration has a stream of it. */
  isWanted: boolean,
  clock: Clock,
  signal: AbortSignal,
): Promise<{ findings: Finding[]; hasReceiver: boolean }> {
  const findings = new Findings('gps');
  const place = `${address.host}:${address.port}`;
  let text = '';
  try {
    const input = await openGpsd(address, clock, signal);
    try {
      const endUs = clock.monotonicUs() + LISTEN_MS * 1000;
      while (!signal.aborted && !input.ended && !/"class":"TPV"/.test(text)) {
        const leftMs = (endUs - clock.monotonicUs()) / 1000;
        if (leftMs <= 0) break;
        await input.more(leftMs, signal);
        for (let part = input.read(); part !== null; part = input.read())
          text += Buffer.from(part).toString('latin1');
      }
    } finally {
      await input.close();
    }
  } catch (error) {
    if (!isFleetlogError(error)) throw error;
    if (isWanted) findings.wrong(error.message, 'sudo apt-get install gpsd && sudo systemctl start gpsd');
    else findings.note(`There is no gpsd at ${place}.`);
    return { findings: findings.list, hasReceiver: false };
  }
  if (!text.includes('"class":"VERSION"')) {
    findings[isWanted ? 'wrong' : 'note'](
      `What listens at ${place} isn't gpsd.`,
      `sudo ss -ltnp sport = :${address.port}`,
    );
    return { findings: findings.list, hasReceiver: false };
  }
  const release = /"release":"([^"]+)"/.exec(text)?.[1] ?? '';
  const device = /"class":"DEVICE","path":"([^"]+)"/.exec(text)?.[1];
  const mode = Number(/"class":"TPV"[^\n]*?"mode":(\d)/.exec(text)?.[1] ?? 0);
  const what = `gpsd ${release} at ${place}`;
  if (device === undefined) {
    findings[isWanted ? 'wrong' : 'note'](
      `${what} has no receiver.`,
      'sudo gpsdctl add /dev/ttyACM0   # or name it in DEVICES of /etc/default/gpsd',
    );
  } else if (mode >= 2) {
    findings.fine(`${what} has a fix in ${mode} dimensions from ${device}.`);
  } else {
    findings.note(`${what} listens to ${device}, which has no fix yet; its antenna must see the sky.`);
  }
  return { findings: findings.list, hasReceiver: device !== undefined };
}

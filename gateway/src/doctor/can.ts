import { readdir, readFile } from 'node:fs/promises';
import { isFleetlogError } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import type { AskKernel, CanLink } from '../sources/socketcan/netlink.js';
import { listCanLinks } from '../sources/socketcan/netlink.js';
import { Findings, type Finding } from './finding.js';

const LISTEN_MS = 1200;
const ARPHRD_CAN = 280;
/** What the default of `receiveBuffer` needs. */
const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;

/** A CAN interface, and how many frames the kernel received on it while the doctor listened. */
export interface HeardLink extends CanLink {
  heardFrames: number;
  heardErrors: number;
}

/** CAN interfaces of this machine. It only looks at counters: nothing is opened, and nothing is sent. */
export async function checkCan(
  ask: () => AskKernel,
  /** Interfaces that the configuration names. */
  wanted: readonly string[],
  clock: Clock,
): Promise<{ findings: Finding[]; links: HeardLink[] }> {
  const findings = new Findings('can');
  let links: HeardLink[];
  try {
    links = await listened(ask(), clock);
  } catch (error) {
    if (!isFleetlogError(error)) throw error;
    const names = await namesOfSysfs();
    findings.wrong(
      `${error.message} By /sys there are ${names.join(', ') || 'no CAN interfaces'}.`,
      'ip -details link show type can',
    );
    return { findings: findings.list, links: [] };
  }
  for (const link of links) describe(link, wanted.includes(link.name), findings);
  for (const name of wanted.filter((wish) => !links.some((link) => link.name === wish))) {
    const mend = name.startsWith('vcan')
      ? `sudo modprobe vcan && sudo ip link add dev ${name} type vcan && sudo ip link set ${name} mtu 72 up`
      : 'ip -br link show type can   # plug the adapter in, or correct "interface"';
    findings.wrong(`There is no CAN interface ${name}, which the configuration names.`, mend);
  }
  if (links.length === 0 && wanted.length === 0) {
    findings.note(
      'There are no CAN interfaces.',
      'sudo modprobe can-raw gs_usb   # and see socketcan.md for HATs',
    );
  }
  if (links.length > 0) await checkReceiveBuffer(findings);
  return { findings: findings.list, links };
}

async function listened(ask: AskKernel, clock: Clock): Promise<HeardLink[]> {
  const before = new Map(listCanLinks(ask).map((link) => [link.index, link]));
  if (before.size > 0) await clock.sleep(LISTEN_MS);
  return listCanLinks(ask).map((link) => {
    const first = before.get(link.index) ?? link;
    const errors = (of: CanLink): number => of.receiveErrorFrames + (of.counts?.busErrors ?? 0);
    return {
      ...link,
      heardFrames: link.receivedFrames - first.receivedFrames,
      heardErrors: errors(link) - errors(first),
    };
  });
}

function describe(link: HeardLink, isWanted: boolean, findings: Findings): void {
  const { name, up, state, heardFrames, heardErrors, kind = 'unknown kind' } = link;
  const isVirtual = kind !== 'can';
  if (!up) {
    const mend = isVirtual ? `sudo ip link set ${name} up` : upCommand(name, link.bitrate);
    findings[isWanted ? 'wrong' : 'note'](`${name} (${kind}) is down.`, mend);
    return;
  }
  const rates = [link.bitrate, link.dataBitrate].filter((rate) => rate !== undefined);
  const facts = [
    kind,
    rates.length > 0 ? rates.map((rate) => `${rate / 1000} kbit/s`).join(' / ') : '',
    link.listenOnly ? 'listening only' : '',
    link.transmitErrors === undefined
      ? ''
      : `error counters ${link.transmitErrors} and ${link.receiveErrors}`,
  ];
  const what = `${name} (${facts.filter((fact) => fact !== '').join(', ')})`;
  const otherRate = link.bitrate === 250_000 ? 500_000 : 250_000;
  const tryOther = `sudo ip link set ${name} down && ${upCommand(name, otherRate)}`;
  if (state === 'bus-off') {
    findings.wrong(
      `${what} is bus-off: it made too many errors, and takes part no more; check wiring, termination and bit rate.`,
      `sudo ip link set ${name} type can restart   # or "restart: 1s" of the stream`,
    );
  } else if (heardFrames === 0 && (heardErrors > 0 || state === 'error-passive')) {
    findings.wrong(
      `${what} hears errors and no frame (${state}): the bit rate is probably another.`,
      tryOther,
    );
  } else if (heardFrames === 0) {
    findings.note(
      `${what} is up, and nothing was heard on it for ${LISTEN_MS / 1000} s: the vehicle is asleep, or wiring or bit rate are wrong.`,
      isVirtual ? `cangen ${name}` : tryOther,
    );
  } else {
    findings.fine(
      `${what} is up${state ? `, ${state}` : ''}; ${heardFrames} frames within ${LISTEN_MS / 1000} s.`,
    );
  }
  if (!isVirtual && link.listenOnly === false) {
    findings.note(
      `${name} acknowledges the frames of the bus; a gateway that only listens isn't noticed.`,
      `sudo ip link set ${name} down && ${upCommand(name, link.bitrate)}`,
    );
  }
}

const upCommand = (name: string, bitrate = 500_000): string =>
  `sudo ip link set ${name} up type can bitrate ${bitrate} listen-only on`;

/** Root gets what it asks for. */
async function checkReceiveBuffer(findings: Findings): Promise<void> {
  if (process.getuid?.() === 0) return;
  const most = Number(await readFile('/proc/sys/net/core/rmem_max', 'utf8').catch(() => NaN));
  if (!(most < RECEIVE_BUFFER_BYTES)) return;
  findings.note(
    `The kernel keeps ${most} bytes of frames at most while the gateway is busy; a full bus wants more.`,
    `sudo sysctl -w net.core.rmem_max=${RECEIVE_BUFFER_BYTES}`,
  );
}

async function namesOfSysfs(): Promise<string[]> {
  const names = await readdir('/sys/class/net').catch(() => []);
  const types = await Promise.all(
    names.map((name) => readFile(`/sys/class/net/${name}/type`, 'utf8').catch(() => '')),
  );
  return names.filter((_, i) => Number(types[i]) === ARPHRD_CAN);
}

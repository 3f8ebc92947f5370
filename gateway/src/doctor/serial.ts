import type { Clock } from '@fleetlog/shared/util';
import type { StreamConfig } from '../sources/config.js';
import { rightsCommand } from '../sources/serial/port-rights.js';
import { describeUser, stopCommand } from '../sources/serial/port-users.js';
import { Findings, type Finding } from './finding.js';
import { listenToPort, type Heard } from './listen.js';
import { findSerialPorts, type FoundPort, type SerialFolders } from './serial-ports.js';

export interface HeardPort extends FoundPort {
  /** Undefined where nobody listened: the port is in use. */
  heard: Heard | undefined;
}

export interface SerialOptions {
  folders: SerialFolders;
  /** Streams of the configuration that read a port. */
  wanted: readonly { stream: string; config: StreamConfig }[];
  /** Opens ports that nobody uses, and listens. */
  listens: boolean;
  /** Process of the configuration's gateway, where it runs. */
  gatewayPid: number | undefined;
  clock: Clock;
  signal: AbortSignal;
}

/** Serial ports, their adapters, and what is heard on them. */
export async function checkSerial(
  options: SerialOptions,
): Promise<{ findings: Finding[]; ports: HeardPort[] }> {
  const { folders, wanted, listens, gatewayPid, clock, signal } = options;
  const findings = new Findings('serial');
  const found = await findSerialPorts(
    folders,
    wanted.map(({ config }) => config.path!),
  );
  const ports = await Promise.all(
    found.map(async (port): Promise<HeardPort> => {
      const stream = wanted.find(({ config }) => config.path === port.path);
      const isFree = port.users.length === 0 && !port.isConsole;
      const mayListen = listens && port.mayOpen && isFree && stream?.config.source !== 'slcan';
      const heard = mayListen ? await listenToPort(port.path, stream?.config.baud, clock, signal) : undefined;
      return { ...port, heard };
    }),
  );
  for (const port of ports) {
    const stream = wanted.find(({ config }) => config.path === port.path);
    if (!port.mayOpen || port.isConsole) await describeClosed(port, stream, findings);
    else if (port.users.length > 0) describeUsed(port, stream, gatewayPid, findings);
    else describeFree(port, stream, findings);
  }
  for (const { stream, config } of wanted) {
    if (ports.some(({ path }) => path === config.path)) continue;
    findings.wrong(
      `The port ${config.path} of the stream "${stream}" isn't there.`,
      `ls -l /dev/serial/by-id   # plug the device in, or correct "streams.${stream}.path"`,
    );
  }
  if (ports.length === 0 && wanted.length === 0) findings.note('There are no serial ports with a device.');
  return { findings: findings.list, ports };
}

type Wanted = SerialOptions['wanted'][number] | undefined;

function nameOf({ path, device, adapter }: HeardPort): string {
  const name = [adapter, path === device ? '' : device].filter(Boolean).join(', ');
  return name === '' ? path : `${path} (${name})`;
}

async function describeClosed(port: HeardPort, wanted: Wanted, findings: Findings): Promise<void> {
  const verdict = wanted ? 'wrong' : 'note';
  if (!port.mayOpen) {
    const mend = `${await rightsCommand(port.device)}   # then log in again`;
    findings[verdict](`This user may not open ${nameOf(port)}.`, mend);
    return;
  }
  findings[verdict](
    `${nameOf(port)} is the system's console, and left alone.`,
    'sudo raspi-config   # Interface Options, Serial Port, where a device is on it',
  );
}

function describeUsed(
  port: HeardPort,
  wanted: Wanted,
  gatewayPid: number | undefined,
  findings: Findings,
): void {
  const says = `${nameOf(port)} is in use by ${port.users.map(describeUser).join(', ')}`;
  if (!wanted || port.users.some(({ pid }) => pid === gatewayPid)) {
    findings.fine(`${says}, and left alone.`);
    return;
  }
  const gpsd = port.users.find(({ command }) => /^gpsd\b/.test(command));
  findings.wrong(
    `${says}; the stream "${wanted.stream}" can't read it.`,
    gpsd
      ? `${wanted.stream}: { source: gpsd }   # it passes on what it hears; or ${stopCommand(gpsd)}`
      : stopCommand(port.users[0]),
  );
}

function describeFree(port: HeardPort, wanted: Wanted, findings: Findings): void {
  const { path, device, heard } = port;
  const what = nameOf(port);
  const wrongIfWanted = wanted ? 'wrong' : 'note';
  if (!heard) {
    findings.fine(`${what} is there; nobody listened.`);
    return;
  }
  const baud = wanted?.config.baud ?? 115_200;
  switch (heard.what) {
    case 'nmea':
    case 'ubx':
    case 'text': {
      const kind = { nmea: 'NMEA sentences', ubx: "u-blox's packets", text: 'text' }[heard.what];
      const sample = heard.sample === '' ? '' : `: ${heard.sample}`;
      if (wanted && heard.baud !== baud) {
        findings.wrong(
          `${kind} come from ${what} at ${heard.baud} baud${sample}, and the configuration says ${baud}.`,
          `baud: ${heard.baud}   # in "streams.${wanted.stream}"`,
        );
      } else {
        findings.fine(`${kind} come from ${what} at ${heard.baud} baud${sample}.`);
      }
      return;
    }
    case 'noise':
      if (wanted?.config.format === 'packets') {
        findings.fine(`Bytes come from ${what}; whether they are its packets, the gateway's log says.`);
      } else {
        findings[wrongIfWanted](
          `Bytes come from ${what} that are neither text nor a GPS receiver's at any common rate.`,
          `stty -F ${device} 230400 raw && xxd -l 256 ${device}   # look for the rate in the device's manual`,
        );
      }
      return;
    case 'silence':
      findings.note(
        `Nothing comes from ${what}: the device may be off, or speak only when it is asked.`,
        `stty -F ${device} ${baud} raw && timeout 5 xxd ${path}   # look again when it is on`,
      );
      return;
    case 'error':
      findings[wrongIfWanted](heard.message);
  }
}

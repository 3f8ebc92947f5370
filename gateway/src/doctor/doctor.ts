import type { Clock } from '@fleetlog/shared/util';
import type { GatewayConfig } from '../config.js';
import { askGateway } from '../control/client.js';
import { controlSocketPath } from '../control/protocol.js';
import type { GatewayReport } from '../control/status.js';
import { gpsdAddress } from '../sources/gpsd/gpsd.js';
import { askKernel } from '../sources/socketcan/ask-kernel.js';
import { timesyncFile } from '../time/kernel-sync.js';
import { checkCan } from './can.js';
import { checkClock } from './clock.js';
import { checkCloud } from './cloud.js';
import { checkDisk } from './disk.js';
import { areas, Findings, type Finding } from './finding.js';
import { checkGpsd } from './gps.js';
import { checkSerial } from './serial.js';
import { systemSerialFolders } from './serial-ports.js';
import type { FoundParts } from './starter.js';
import { checkSystem } from './system.js';

const freeBytesMin = 256 * 1024 * 1024;

export interface DoctorOptions {
  /** Without one, only the machine is looked at. */
  config: GatewayConfig | undefined;
  /** Folder for the data, where no configuration says it. */
  folder: string;
  /** Whether free serial ports are opened to listen. */
  listens: boolean;
  clock: Clock;
  signal: AbortSignal;
}

export interface Diagnosis {
  findings: Finding[];
  found: FoundParts;
}

/** Looks at everything that a gateway needs. It changes nothing, and disturbs neither a bus nor a gateway that runs. */
export async function diagnose(options: DoctorOptions): Promise<Diagnosis> {
  const { config, folder, listens, clock, signal } = options;
  const streams = Object.entries(config?.streams ?? {}).map(([stream, of]) => ({ stream, config: of }));
  const wanted = streams.filter(({ config: of }) => of.source === 'serial' || of.source === 'slcan');
  const gpsd = streams.find(({ config: of }) => of.source === 'gpsd');
  const address = gpsdAddress(gpsd?.config.host ?? '127.0.0.1:2947', `streams.${gpsd?.stream}.host`);
  const interfaces = streams.flatMap(({ config: of }) => (of.source === 'socketcan' ? [of.interface!] : []));
  const hasGpsTime = streams.some(({ config: of }) => of.clock === true);
  const gatewayPid = config && (await pidOfGateway(config));
  // Side by side: most of the time is listening.
  const [system, can, serial, gps, cloud] = await Promise.all([
    checkSystem(),
    checkCan(askKernel, interfaces, clock),
    checkSerial({ folders: systemSerialFolders, wanted, listens, gatewayPid, clock, signal }),
    checkGpsd(address, gpsd !== undefined, clock, signal),
    config ? checkCloud(config) : noCloud(),
  ]);
  const disk = await checkDisk({
    folder: config?.data ?? folder,
    freeBytesMin: config?.buffer.space.freeBytesMin ?? freeBytesMin,
  });
  const findings = [
    ...system,
    ...disk,
    ...checkClock(clock, timesyncFile(), hasGpsTime),
    ...can.findings,
    ...serial.findings,
    ...gps.findings,
    ...cloud,
  ];
  findings.sort((a, b) => areas.indexOf(a.area) - areas.indexOf(b.area));
  return { findings, found: { links: can.links, ports: serial.ports, hasGpsd: gps.hasReceiver } };
}

/** Undefined where none runs, or it is too busy to answer. */
async function pidOfGateway({ data }: GatewayConfig): Promise<number | undefined> {
  const report = await askGateway(controlSocketPath(data), 'status').catch(() => undefined);
  return (report as GatewayReport | undefined)?.pid;
}

function noCloud(): Finding[] {
  const findings = new Findings('cloud');
  findings.note('Which cloud, a configuration says.', 'fleetlog-gateway doctor --config FILE.yaml');
  return findings.list;
}

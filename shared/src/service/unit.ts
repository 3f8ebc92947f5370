import { realpathSync } from 'node:fs';
import { userInfo } from 'node:os';

/** What a service of ours needs of the system. */
export interface Service {
  /** Name of the unit, without `.service`. */
  name: string;
  description: string;
  /** Program and arguments, paths absolute. */
  command: readonly string[];
  environment?: Record<string, string>;
  /** Who runs it. */
  user: string;
  groups?: readonly string[];
  capabilities?: readonly string[];
  /** Folder that it writes to; everything else is read-only to it. */
  data: string;
  /** It opens devices, such as serial ports. */
  usesDevices?: boolean;
  addressFamilies: readonly string[];
  openFilesMax?: number;
  /** Lines that say how it is set up. */
  setUp: readonly string[];
}

const stateRoot = '/var/lib/';

/**
 * A unit for systemd 247 or newer (Debian 11): starts at boot, without waiting for the network, and again whenever it
 * ended, but for a configuration that is wrong (status 2). It may read the system and write its data, nothing else.
 *
 * Left out on purpose: `ProtectClock` forbids the call that asks how right the clock is; `MemoryDenyWriteExecute`
 * forbids Node's compiler; `ProcSubset` hides the boot's id and the CAN interfaces.
 */
export function systemdUnit(service: Service): string {
  const {
    name,
    description,
    command,
    environment = {},
    user,
    groups = [],
    capabilities = [],
    data,
  } = service;
  const state = data.startsWith(stateRoot) ? data.slice(stateRoot.length) : undefined;
  const lines = [
    ...service.setUp.map((line) => `# ${line}`),
    '',
    '[Unit]',
    `Description=${description}`,
    'After=network.target local-fs.target',
    `RequiresMountsFor=${quoted(state === undefined ? data : stateRoot)}`,
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    `ExecStart=${command.map(quoted).join(' ')}`,
    ...Object.entries(environment).map(([key, value]) => `Environment=${quoted(`${key}=${value}`)}`),
    `EnvironmentFile=-/etc/default/${name}`,
    `User=${user}`,
    ...(groups.length > 0 ? [`SupplementaryGroups=${groups.join(' ')}`] : []),
    'Restart=always',
    'RestartSec=5s',
    'RestartPreventExitStatus=2',
    'KillMode=mixed',
    'TimeoutStopSec=15s',
    ...(service.openFilesMax === undefined ? [] : [`LimitNOFILE=${service.openFilesMax}`]),
    '',
    'UMask=0027',
    ...(state === undefined
      ? [`ReadWritePaths=${quoted(data)}`]
      : [`StateDirectory=${quoted(state)}`, 'StateDirectoryMode=0750']),
    'ProtectSystem=strict',
    'ProtectHome=read-only',
    // Its own /tmp would hide what it is started from.
    `PrivateTmp=${[...command, data].some((path) => /^(\/var)?\/tmp\//.test(path)) ? 'no' : 'yes'}`,
    `PrivateDevices=${service.usesDevices ? 'no' : 'yes'}`,
    'ProtectHostname=yes',
    'ProtectKernelLogs=yes',
    'ProtectKernelModules=yes',
    'ProtectKernelTunables=yes',
    'ProtectControlGroups=yes',
    'NoNewPrivileges=yes',
    `CapabilityBoundingSet=${capabilities.join(' ')}`,
    `AmbientCapabilities=${capabilities.join(' ')}`,
    `RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 ${service.addressFamilies.join(' ')}`.trimEnd(),
    'RestrictNamespaces=yes',
    'RestrictRealtime=yes',
    'RestrictSUIDSGID=yes',
    'LockPersonality=yes',
    'SystemCallArchitectures=native',
    'SystemCallFilter=@system-service @clock',
    'SystemCallErrorNumber=EPERM',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
  ];
  return `${lines.join('\n')}\n`;
}

/** How a person sets a service up from what the command prints. */
export function setUpOf(name: string, user: string, data: string, command: readonly string[]): string[] {
  const file = `/etc/systemd/system/${name}.service`;
  return [
    `npx ${name} service ${command.map(forShell).join(' ')} | sudo tee ${file}`,
    `id ${user} || sudo useradd --system --shell /usr/sbin/nologin ${user}`,
    ...(data.startsWith(stateRoot) ? [] : [`sudo install -d -o ${user} -m 750 ${forShell(data)}`]),
    `sudo systemctl daemon-reload && sudo systemctl enable --now ${name}`,
    `journalctl -u ${name} -f`,
  ];
}

/** The program that runs, as a unit must name it. */
export const thisProgram = (): string[] => [process.execPath, realpathSync(process.argv[1])];

/** Who runs a service where nobody says so: who asks, but for root. */
export const serviceUser = (): string => (process.getuid?.() === 0 ? 'fleetlog' : userInfo().username);

const forShell = (text: string): string =>
  /[^\w@%+=:,./-]/.test(text) ? `'${text.replaceAll("'", String.raw`'\''`)}'` : text;

/** systemd splits at spaces, and expands % and $ (systemd.service(5), systemd.syntax(7)). */
function quoted(text: string): string {
  const plain = text.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /[\s"'\\;]/.test(plain) ? `"${plain.replace(/["\\]/g, '\\$&')}"` : plain;
}

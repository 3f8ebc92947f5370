import { existsSync } from 'node:fs';
import { AnswerIsNo } from '@fleetlog/shared/cli';
import { readYaml } from '@fleetlog/shared/config';
import { systemClock } from '@fleetlog/shared/util';
import type { GatewayConfig } from '../config.js';
import { diagnose } from '../doctor/doctor.js';
import { areas, type Finding } from '../doctor/finding.js';
import { isThere, starterConfig, writeStarter } from '../doctor/starter.js';

export interface DoctorFlags {
  json?: boolean;
  writeConfig?: string;
  force?: boolean;
  /** False: no serial port is opened. */
  listen?: boolean;
}

/** `fleetlog-gateway doctor` */
export async function doctor(config: GatewayConfig | undefined, flags: DoctorFlags): Promise<void> {
  const { json = false, writeConfig, force = false, listen = true } = flags;
  if (writeConfig !== undefined && !force && existsSync(writeConfig)) throw isThere(writeConfig);
  const { findings, found } = await diagnose({
    config,
    folder: process.cwd(),
    listens: listen,
    clock: systemClock,
    signal: new AbortController().signal,
  });
  const wrong = findings.filter(({ verdict }) => verdict === 'wrong').length;
  if (json) print(JSON.stringify({ healthy: wrong === 0, findings }));
  else print(page(findings));
  if (writeConfig !== undefined) {
    await writeStarter(writeConfig, starterConfig(found), readYaml, force);
    if (!json)
      print(
        `\nWritten: ${writeConfig}. Correct "uplink.url", then: fleetlog-gateway --config ${writeConfig}`,
      );
  }
  if (wrong > 0) throw new AnswerIsNo();
}

function page(findings: readonly Finding[]): string {
  const marks = { fine: 'ok  ', note: 'note', wrong: 'BAD ' };
  const width = Math.max(...areas.map((area) => area.length));
  const lines = findings.flatMap(({ area, verdict, says, mend }) => [
    `${marks[verdict]}  ${area.padEnd(width)}  ${says}`,
    ...(mend === undefined ? [] : [`${' '.repeat(width + 8)}→ ${mend}`]),
  ]);
  const wrong = findings.filter(({ verdict }) => verdict === 'wrong').length;
  const verdict =
    wrong === 0 ? 'Nothing is wrong.' : `${wrong} ${wrong === 1 ? 'thing is' : 'things are'} wrong.`;
  return [...lines, '', verdict].join('\n');
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

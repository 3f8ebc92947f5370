import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { FleetlogError, systemCode } from '../errors/index.js';

/** Files in PEM, by the name of their key in the configuration. */
export interface TlsFiles {
  /** Certificates of the authorities that the other side's certificate may come from. */
  ca?: string | undefined;
  certificate?: string | undefined;
  key?: string | undefined;
}

/** As Node's TLS takes them. */
export interface TlsMaterial {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
}

/** Reads and checks the files. `section`: where they are named, for errors. Errors: FLEETLOG_CONFIG. */
export function readTlsFiles(files: TlsFiles, section: string): TlsMaterial {
  const read = (name: keyof TlsFiles): Buffer | undefined => {
    const path = files[name];
    if (path === undefined) return undefined;
    try {
      return readFileSync(path);
    } catch (cause) {
      const why =
        systemCode(cause) === 'ENOENT' ? "doesn't exist" : `can't be read (${systemCode(cause) ?? 'error'})`;
      throw new FleetlogError('FLEETLOG_CONFIG', `The file ${path} of "${section}.${name}" ${why}.`, {
        cause,
      });
    }
  };
  const [ca, cert, key] = [read('ca'), read('certificate'), read('key')];
  if ((cert === undefined) !== (key === undefined)) {
    throw new FleetlogError('FLEETLOG_CONFIG', `"${section}" must name "certificate" and "key" together.`);
  }
  const material = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  try {
    createSecureContext(material);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `The files of "${section}" aren't PEM, or key and certificate don't belong together (${why}).`,
      { cause },
    );
  }
  return material;
}

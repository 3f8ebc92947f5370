import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificate {
  certificate: string;
  key: string;
}

/** A certificate authority in a folder, made with `openssl`. */
export class Authority {
  readonly ca: string;
  private readonly key: string;
  private made = 0;

  constructor(
    private readonly folder: string,
    name = 'Fleetlog test authority',
  ) {
    mkdirSync(folder, { recursive: true });
    this.ca = join(folder, 'ca.crt');
    this.key = join(folder, 'ca.key');
    openssl('req', '-x509', ...newKey(this.key), '-out', this.ca, '-days', '2', '-subj', `/CN=${name}`);
  }

  static whyNot(): string | undefined {
    try {
      execFileSync('openssl', ['version'], { stdio: 'ignore' });
      return undefined;
    } catch {
      return 'needs openssl';
    }
  }

  /** `names`: as in `DNS:localhost,IP:127.0.0.1`; negative `days` make an expired one. */
  issue(commonName: string, { names = '', days = 2 } = {}): Certificate {
    const at = join(this.folder, `${this.made++}`);
    const files = { certificate: `${at}.crt`, key: `${at}.key` };
    openssl('req', '-new', ...newKey(files.key), '-out', `${at}.csr`, '-subj', `/CN=${commonName}`);
    writeFileSync(`${at}.ext`, names === '' ? 'basicConstraints=CA:FALSE\n' : `subjectAltName=${names}\n`);
    const signing = ['-CA', this.ca, '-CAkey', this.key, '-CAcreateserial', '-days', `${days}`];
    openssl(
      'x509',
      '-req',
      '-in',
      `${at}.csr`,
      ...signing,
      '-extfile',
      `${at}.ext`,
      '-out',
      files.certificate,
    );
    return files;
  }
}

const newKey = (path: string): string[] =>
  `-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout`.split(' ').concat(path);

const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });

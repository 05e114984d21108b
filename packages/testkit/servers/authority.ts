import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Files of one certificate, and what is in them. */
export interface Issued {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** A certificate authority of a test's own. */
export class Authority {
  readonly file: string;
  readonly pem: string;
  private readonly directory: string;
  private readonly name: string;

  constructor(directory: string, name = 'authority') {
    this.directory = directory;
    this.name = name;
    this.file = join(directory, `${name}.pem`);
    const key = join(directory, `${name}.key`);
    this.openssl(
      'req',
      '-x509',
      ...CURVE,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      key,
      '-out',
      this.file,
    );
    this.pem = readFileSync(this.file, 'utf8');
  }

  /** A certificate for this machine's loopback; with `days` below 0 it is over already. */
  issue(name: string, { days = 2 } = {}): Issued {
    const file = (kind: string) => join(this.directory, `${name}.${kind}`);
    const [keyFile, certFile] = [file('key'), file('pem')];
    this.openssl('req', ...CURVE, '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', file('csr'));
    writeFileSync(file('ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
    const from = ['-req', '-in', file('csr'), '-extfile', file('ext'), '-days', `${days}`];
    const by = ['-CA', this.file, '-CAkey', join(this.directory, `${this.name}.key`)];
    this.openssl('x509', ...from, ...by, '-CAcreateserial', '-out', certFile);
    const read = (path: string) => readFileSync(path, 'utf8');
    return { certFile, keyFile, cert: read(certFile), key: read(keyFile) };
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  }
}

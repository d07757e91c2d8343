// Certificates of an authority of the tests' own, made with openssl(1).
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { giveToServer } from './user.mjs';

const DAY_MS = 24 * 3600 * 1000;

/** @param {number} days  from now */
const moment = (days) => new Date(Date.now() + days * DAY_MS).toISOString().replace(/[-:T]|\.\d+/g, '');

const CONFIG = `
[ca]
default_ca = test
[test]
database = index
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
rand_serial = yes
default_md = sha256
unique_subject = no
policy = anything
copy_extensions = copy
x509_extensions = leaf
[anything]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
`;

/**
 * A directory with an authority in it; gone at the end of the process.
 */
export class Authority {
  constructor() {
    this.dir = mkdtempSync(path.join(tmpdir(), 'aloha-ca-'));
    chmodSync(this.dir, 0o711); // who the server becomes comes by
    process.on('exit', () => rmSync(this.dir, { recursive: true, force: true }));
    writeFileSync(this.path('ca.conf'), CONFIG);
    writeFileSync(this.path('index'), '');
    this.#openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=authority of the tests',
      '-days', '30', '-addext', 'keyUsage=critical,keyCertSign');
    this.file = this.path('ca.pem');
    this.count = 0;
  }

  /** @param {string} name */
  path(name) {
    return path.join(this.dir, name);
  }

  /** A directory of its own for a test. */
  fresh() {
    const dir = this.path(`dir-${++this.count}`);
    mkdirSync(dir);
    return dir;
  }

  /** @param {...string} args */
  #openssl(...args) {
    return execFileSync('openssl', args, { cwd: this.dir, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
  }

  /**
   * A certificate and its key, as PEM.
   * @param {{ names?: string, from?: number, to?: number, usage?: string, key?: string[] }} [how]  from, to: days from now
   */
  issue({ names = 'DNS:localhost,IP:127.0.0.1', from = -1, to = 90, usage = 'serverAuth', key = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] } = {}) {
    const name = `leaf-${++this.count}`;
    this.#openssl('req', '-newkey', ...key, '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`,
      '-addext', `subjectAltName=${names}`, '-addext', `extendedKeyUsage=${usage}`);
    this.#openssl('ca', '-batch', '-config', 'ca.conf', '-notext', '-in', `${name}.csr`, '-out', `${name}.pem`, '-startdate', moment(from), '-enddate', moment(to));
    const cert = readFileSync(this.path(`${name}.pem`), 'utf8');
    return { cert, key: readFileSync(this.path(`${name}.key`), 'utf8'), fingerprint: new X509Certificate(cert).fingerprint256 };
  }

  /** The same key behind a password. @param {string} key */
  lock(key) {
    const name = this.path(`open-${++this.count}.key`);
    writeFileSync(name, key);
    return this.#openssl('pkcs8', '-topk8', '-in', name, '-passout', 'pass:secret');
  }

  /**
   * Writes a pair into a directory, and gives the arguments of a server that is to use it.
   * @param {{ cert: string, key: string }} pair @param {string} [dir]
   */
  write(pair, dir = this.fresh()) {
    const cert = path.join(dir, 'fullchain.pem');
    const key = path.join(dir, 'privkey.pem');
    writeFileSync(cert, pair.cert);
    writeFileSync(key, pair.key, { mode: 0o600 });
    giveToServer(dir, cert, key);
    return { dir, cert, key, args: ['--tls', 'no', '--tls-cert', cert, '--tls-key', key] };
  }
}

// The proxies of docs/operations.md in front of aloha: their recipes are cut out of the page itself, so that they cannot rot.
// Only addresses, ports and certificates are others.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { repository } from './server.mjs';
import { Changes } from './wait.mjs';

export const NAME = 'call.example.org';
const TRIES_MAX = 5;

const page = readFileSync(path.join(repository, 'docs/operations.md'), 'utf8');

/** The one code block of that language. @param {string} language */
function recipeOf(language) {
  const blocks = [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))];
  assert.equal(blocks.length, 1, `docs/operations.md has one recipe in ${language}`);
  return blocks[0][1];
}

/** What stands in the table of a section for a proxy: this line becomes that one. @param {string} section @param {string} proxy */
function changeOf(section, proxy) {
  const text = page.slice(page.indexOf(`### ${section}\n`));
  const row = new RegExp(`^\\| ${proxy} \\| \`(.+?)\` \\| \`(.+?)\` \\|$`, 'm').exec(text);
  assert.ok(row, `docs/operations.md says in "${section}" what ${proxy} needs`);
  return [row[1], row[2]];
}

/** What Caddy needs besides, to send on who leaves out the slash at the end of a path. */
function lineMore() {
  const line = /Caddy wants a line more:\s`(.+?)`/.exec(page);
  assert.ok(line, 'docs/operations.md says which line');
  return line[1];
}

/** Replaces a text that has to be there. @param {string} text @param {string} from @param {string} to */
function replaced(text, from, to) {
  assert.ok(text.includes(from), `the recipe has "${from}":\n${text}`);
  return text.replaceAll(from, to);
}

/** A directory of the run, and a certificate in it. */
function makePlace() {
  const place = mkdtempSync(path.join(tmpdir(), 'aloha-front-'));
  chmodSync(place, 0o755);
  process.on('exit', () => rmSync(place, { recursive: true, force: true }));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${NAME}`,
    '-addext', `subjectAltName=DNS:${NAME}`, '-keyout', path.join(place, 'key.pem'), '-out', path.join(place, 'cert.pem')], { stdio: 'ignore' });
  writeFileSync(path.join(place, 'both.pem'), readFileSync(path.join(place, 'cert.pem'), 'utf8') + readFileSync(path.join(place, 'key.pem'), 'utf8'));
  return place;
}

/** Ports that were free a moment ago. @param {number} count */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))));
  const ports = servers.map((server) => /** @type {net.AddressInfo} */ (server.address()).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** @typedef {{ recipe: string, place: string, http: number, https: number }} Setting */

/** How each is started, and what of its recipe cannot be as it stands. */
const PROXIES = {
  nginx: {
    language: 'nginx',
    /** @param {Setting} s @returns {[string, string[], Record<string, string>]} */
    start({ recipe, place, http: plain, https: secure }) {
      let site = replaced(recipe, '    listen [::]:80;\n', '');
      site = replaced(site, '    listen [::]:443 ssl;\n', '');
      site = replaced(site, 'listen 80;', `listen 127.0.0.1:${plain};`);
      site = replaced(site, 'listen 443 ssl;', `listen 127.0.0.1:${secure} ssl;`);
      site = replaced(site, `/etc/ssl/${NAME}.pem`, `${place}/cert.pem`);
      site = replaced(site, `/etc/ssl/${NAME}.key`, `${place}/key.pem`);
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${place}/${name};`).join(' ');
      writeFileSync(`${place}/nginx.conf`, `daemon off; pid ${place}/nginx.pid; error_log stderr warn; worker_processes 1;
        events { worker_connections 512; } http { access_log off; ${temporary}\n${site}}\n`);
      return ['nginx', ['-e', 'stderr', '-p', place, '-c', `${place}/nginx.conf`], {}];
    },
  },
  Caddy: {
    language: 'caddyfile',
    /** @param {Setting} s @returns {[string, string[], Record<string, string>]} */
    start({ recipe, place, http: plain, https: secure }) {
      const site = replaced(recipe, `${NAME} {\n`, `${NAME} {\n\ttls ${place}/cert.pem ${place}/key.pem\n`);
      writeFileSync(`${place}/Caddyfile`, `{\n\tadmin off\n\thttp_port ${plain}\n\thttps_port ${secure}\n\tdefault_bind 127.0.0.1\n}\n${site}`);
      mkdirSync(`${place}/home`, { recursive: true });
      return ['caddy', ['run', '--config', `${place}/Caddyfile`, '--adapter', 'caddyfile'],
        { HOME: `${place}/home`, XDG_DATA_HOME: `${place}/home`, XDG_CONFIG_HOME: `${place}/home` }];
    },
  },
  HAProxy: {
    language: 'haproxy',
    /** @param {Setting} s @returns {[string, string[], Record<string, string>]} */
    start({ recipe, place, http: plain, https: secure }) {
      let site = replaced(recipe, 'bind :80\n', `bind 127.0.0.1:${plain}\n`);
      site = replaced(site, 'bind :443 ', `bind 127.0.0.1:${secure} `);
      site = replaced(site, `/etc/haproxy/${NAME}.pem`, `${place}/both.pem`);
      writeFileSync(`${place}/haproxy.cfg`, `global\n    maxconn 200\n\n${site}`);
      return ['haproxy', ['-db', '-f', `${place}/haproxy.cfg`], {}];
    },
  },
};

export const PROXY_NAMES = /** @type {(keyof typeof PROXIES)[]} */ (Object.keys(PROXIES));

/** A proxy of the distribution's, by its recipe. */
export class Front {
  /** @param {keyof typeof PROXIES} name @param {{ server: { port?: any }, below?: boolean, edit?: (recipe: string) => string }} how */
  constructor(name, { server, below = false, edit = (recipe) => recipe }) {
    this.name = name;
    this.place = makePlace();
    this.changes = new Changes();
    this.said = '';
    this.ended = false;
    this.base = below ? '/calls' : '';
    let recipe = recipeOf(PROXIES[name].language);
    if (below) recipe = replaced(recipe, ...changeOf('Below a path', name));
    if (below && name === 'Caddy') recipe = replaced(recipe, '\treverse_proxy', `\t${lineMore()}\n\treverse_proxy`);
    if (typeof server.port === 'string') {
      const [from, to] = changeOf('Through a socket file', name);
      const address = replaced(from, from, to).replace(/^(?:server|reverse_proxy)( aloha)? /, '');
      const wanted = below && name === 'Caddy' ? from.replace('reverse_proxy', 'reverse_proxy /calls/*') : from;
      recipe = replaced(recipe, wanted, wanted.replace(/127\.0\.0\.1:3000;?/, address.replace('/run/aloha/http.sock', server.port)));
    } else {
      recipe = replaced(recipe, '127.0.0.1:3000', `127.0.0.1:${server.port}`);
    }
    this.recipe = edit(recipe);
  }

  /** @param {ConstructorParameters<typeof Front>} how */
  static async start(...how) {
    const front = new Front(...how);
    for (let i = 1; ; i++) {
      try {
        await front.#startOnce();
        return front;
      } catch (error) {
        front.child?.kill('SIGKILL');
        if (i === TRIES_MAX) throw error; // somebody else may have taken the port
      }
    }
  }

  async #startOnce() {
    [this.http, this.https] = await freePorts(2);
    const [file, args, env] = PROXIES[this.name].start({ recipe: this.recipe, place: this.place, http: this.http, https: this.https });
    this.ended = false;
    const child = spawn(file, args, { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    process.on('exit', () => child.kill('SIGKILL'));
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => {
      this.said += text;
    });
    child.on('error', (error) => {
      this.said += error;
      this.ended = true;
    });
    child.on('close', () => {
      this.ended = true;
      this.changes.changed();
    });
    while (!(await this.#listens())) {
      if (this.ended) throw new Error(`${this.name} does not start:\n${this.said}\n${this.recipe}`);
    }
  }

  #listens() {
    return new Promise((resolve) => {
      const socket = net.connect(/** @type {number} */ (this.https), '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => setTimeout(resolve, 10, false));
      socket.once('connect', () => socket.destroy());
    });
  }

  /** What a browser calls it by. */
  get host() {
    return `${NAME}:${this.https}`;
  }

  get origin() {
    return `https://${this.host}`;
  }

  get #tls() {
    return { ca: readFileSync(`${this.place}/cert.pem`), servername: NAME };
  }

  /** For Participant(). @param {{ from?: string, origin?: string, headers?: Record<string, string> }} [how] */
  as({ from = '127.0.0.2', origin = this.origin, headers = {} } = {}) {
    return {
      server: { socketUrl: `wss://127.0.0.1:${this.https}${this.base}/ws` },
      how: { origin, headers: { Host: this.host, ...headers }, options: { ...this.#tls, rejectUnauthorized: true, localAddress: from } },
    };
  }

  /**
   * Asks for a page. @param {string} target @param {{ from?: string, headers?: Record<string, string> }} [how]
   * @returns {Promise<{ status: number, headers: Record<string, any>, distinct: Record<string, string[]>, body: string }>}
   */
  get(target, { from = '127.0.0.2', headers = {} } = {}) {
    return new Promise((resolve, reject) => {
      https.get({ ...this.#tls, host: '127.0.0.1', port: this.https, path: target, localAddress: from, agent: false, headers: { Host: this.host, ...headers } }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text) => {
          body += text;
        }).on('end', () => resolve({ status: Number(response.statusCode), headers: response.headers, distinct: /** @type {any} */ (response.headersDistinct ?? {}), body }));
      }).once('error', reject);
    });
  }

  async end() {
    this.child?.kill('SIGTERM');
    const killed = setTimeout(() => this.child?.kill('SIGKILL'), 5000);
    await this.changes.until(() => this.ended, `the end of ${this.name}`);
    clearTimeout(killed);
  }
}
